// gRPC C++ as a measured server and client: callback servicers, callback calls
// for unary, and a thread for each stream that a client has open.
//
// Takes the words that every peer takes (src/peer/programs.rs).

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <iostream>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <grpcpp/grpcpp.h>

#include "bench.grpc.pb.h"

namespace {

using bench::Bench;
using bench::Count;
using bench::Payload;
using bench::Reply;
using bench::Request;
using grpc::Status;

const char kName[] = "World";
const char kText[] = "Hello, World!";

[[noreturn]] void Fail(const std::string& what) {
  std::cerr << "grpc++: " << what << std::endl;
  std::_Exit(1);
}

void Check(bool right, const char* what) {
  if (!right) Fail(what);
}

void Greet(const Request& request, Reply* reply) {
  reply->set_text("Hello, " + request.name() + "!");
}

// The server

class PullReactor : public grpc::ServerWriteReactor<Reply> {
 public:
  explicit PullReactor(uint64_t count) : left_(count) { Next(); }
  void OnWriteDone(bool ok) override { ok ? Next() : Finish(Status::CANCELLED); }
  void OnDone() override { delete this; }

 private:
  void Next() {
    if (left_ == 0) return Finish(Status::OK);
    left_--;
    reply_.set_text(kText);
    // Without buffer hints: with them a stream was seen to stop for good.
    StartWrite(&reply_);
  }

  uint64_t left_;
  Reply reply_;
};

class PushReactor : public grpc::ServerReadReactor<Request> {
 public:
  explicit PushReactor(Count* count) : count_(count) { StartRead(&request_); }
  void OnReadDone(bool ok) override {
    if (!ok) {
      count_->set_value(value_);
      return Finish(Status::OK);
    }
    value_++;
    StartRead(&request_);
  }
  void OnDone() override { delete this; }

 private:
  Count* count_;
  uint64_t value_ = 0;
  Request request_;
};

class ChatReactor : public grpc::ServerBidiReactor<Request, Reply> {
 public:
  ChatReactor() { StartRead(&request_); }
  void OnReadDone(bool ok) override {
    if (!ok) return Finish(Status::OK);
    Greet(request_, &reply_);
    StartWrite(&reply_);
  }
  void OnWriteDone(bool ok) override {
    if (ok) StartRead(&request_);
  }
  void OnDone() override { delete this; }

 private:
  Request request_;
  Reply reply_;
};

class Servicer : public Bench::CallbackService {
  grpc::ServerUnaryReactor* Hello(grpc::CallbackServerContext* context, const Request* request,
                                  Reply* reply) override {
    Greet(*request, reply);
    auto* reactor = context->DefaultReactor();
    reactor->Finish(Status::OK);
    return reactor;
  }
  grpc::ServerUnaryReactor* Echo(grpc::CallbackServerContext* context, const Payload* request,
                                 Payload* reply) override {
    reply->Swap(const_cast<Payload*>(request));
    auto* reactor = context->DefaultReactor();
    reactor->Finish(Status::OK);
    return reactor;
  }
  grpc::ServerWriteReactor<Reply>* Pull(grpc::CallbackServerContext*,
                                        const Count* count) override {
    return new PullReactor(count->value());
  }
  grpc::ServerReadReactor<Request>* Push(grpc::CallbackServerContext*, Count* count) override {
    return new PushReactor(count);
  }
  grpc::ServerBidiReactor<Request, Reply>* Chat(grpc::CallbackServerContext*) override {
    return new ChatReactor();
  }
};

void Serve() {
  Servicer servicer;
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&servicer);
  auto server = builder.BuildAndStart();
  if (!server) Fail("the server did not start");
  std::cout << "127.0.0.1:" << port << std::endl;
  while (std::cin.get() != EOF) {
  }
  std::_Exit(0);
}

// The client

using Clock = std::chrono::steady_clock;

int64_t Nanos(Clock::time_point start) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - start).count();
}

// What this process has used, in threads that ended too.
int64_t CpuNanos() {
  timespec used;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return int64_t(used.tv_sec) * 1000000000 + used.tv_nsec;
}

struct Load {
  std::string task;
  int connections, in_flight;
  long count;
  bool timed;

  long Share(long of) const {
    long width = long(connections) * in_flight;
    return std::max(1L, (of + width - 1) / width);
  }
};

struct Client {
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<Bench::Stub> stub;

  explicit Client(const std::string& address) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    channel = grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
    stub = Bench::NewStub(channel);
  }
  void Hello() {
    grpc::ClientContext context;
    Request request;
    request.set_name(kName);
    Reply reply;
    Check(stub->Hello(&context, request, &reply).ok() && reply.text() == kText, "a wrong reply");
  }
};

// Waits for a number of things to end.
class Latch {
 public:
  explicit Latch(int left) : left_(left) {}
  void Arrive() {
    std::lock_guard<std::mutex> lock(mutex_);
    if (--left_ == 0) all_.notify_all();
  }
  void Wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    all_.wait(lock, [this] { return left_ == 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable all_;
  int left_;
};

// Unary calls, one after the other, each started by the end of the one before.
struct Chain {
  Client* client;
  const Load* load;
  long left;
  size_t size;
  Latch* latch;
  std::vector<int64_t> times;
  std::unique_ptr<grpc::ClientContext> context;
  Request request;
  Reply reply;
  Payload sent, echoed;
  Clock::time_point start;

  void Next() {
    if (left-- == 0) return latch->Arrive();
    start = Clock::now();
    context = std::make_unique<grpc::ClientContext>();
    auto done = [this](Status status) { Done(status); };
    if (size == 0) {
      request.set_name(kName);
      client->stub->async()->Hello(context.get(), &request, &reply, done);
    } else {
      sent.set_data(std::string(size, 'b'));
      client->stub->async()->Echo(context.get(), &sent, &echoed, done);
    }
  }
  void Done(const Status& status) {
    Check(status.ok(), "a call failed");
    Check(size ? echoed.data().size() == size : reply.text() == kText, "a wrong reply");
    if (load->timed) times.push_back(Nanos(start));
    Next();
  }
};

void Stream(Client* client, const std::string& address, const Load& load, long share,
            std::vector<int64_t>* times) {
  grpc::ClientContext context;
  Request request;
  request.set_name(kName);
  Reply reply;
  Count count;
  auto send = [&](auto* stream) {
    for (long n = 0; n < share; n++) Check(stream->Write(request), "a write failed");
    stream->WritesDone();
  };
  if (load.task == "pull") {
    count.set_value(share);
    auto replies = client->stub->Pull(&context, count);
    long came = 0;
    while (replies->Read(&reply)) came++;
    Check(replies->Finish().ok() && came == share, "a wrong count");
  } else if (load.task == "push") {
    auto requests = client->stub->Push(&context, &count);
    send(requests.get());
    Check(requests->Finish().ok() && long(count.value()) == share, "a wrong count");
  } else if (load.task == "chat") {
    auto stream = client->stub->Chat(&context);
    std::thread sender([&] { send(stream.get()); });
    long came = 0;
    while (stream->Read(&reply)) came++;
    sender.join();
    Check(stream->Finish().ok() && came == share, "a wrong count");
  } else if (load.task == "ping-pong") {
    auto stream = client->stub->Chat(&context);
    for (long n = 0; n < share; n++) {
      auto start = Clock::now();
      Check(stream->Write(request) && stream->Read(&reply) && reply.text() == kText, "a wrong reply");
      if (load.timed) times->push_back(Nanos(start));
    }
    stream->WritesDone();
    Check(stream->Finish().ok(), "a stream failed");
  } else if (load.task == "connect") {
    for (long n = 0; n < share; n++) {
      auto start = Clock::now();
      Client(address).Hello();
      if (load.timed) times->push_back(Nanos(start));
    }
  } else {
    Fail("no task is called '" + load.task + "'");
  }
}

int64_t Run(std::vector<std::unique_ptr<Client>>& clients, const std::string& address,
            const Load& load, long count, std::vector<int64_t>* times) {
  auto start = Clock::now();
  long share = load.Share(count);
  size_t size = 0;
  if (load.task.rfind("echo-", 0) == 0) size = std::stoul(load.task.substr(5));
  int width = load.connections * load.in_flight;
  std::vector<std::vector<int64_t>> parts(width);
  if (size > 0 || load.task == "hello") {
    Latch latch(width);
    std::vector<std::unique_ptr<Chain>> chains;
    for (int n = 0; n < width; n++) {
      chains.push_back(std::make_unique<Chain>());
      Chain* chain = chains.back().get();
      chain->client = clients[n % clients.size()].get();
      chain->load = &load;
      chain->left = share;
      chain->size = size;
      chain->latch = &latch;
    }
    for (auto& chain : chains) chain->Next();
    latch.Wait();
    for (int n = 0; n < width; n++) parts[n] = std::move(chains[n]->times);
  } else {
    std::vector<std::thread> threads;
    for (int n = 0; n < width; n++) {
      Client* client = clients[n % clients.size()].get();
      threads.emplace_back([&, client, n] { Stream(client, address, load, share, &parts[n]); });
    }
    for (auto& thread : threads) thread.join();
  }
  int64_t wall = Nanos(start);
  for (auto& part : parts) times->insert(times->end(), part.begin(), part.end());
  return wall;
}

void Drive(const std::string& address, const Load& load) {
  std::vector<std::unique_ptr<Client>> clients;
  for (int n = 0; n < load.connections; n++) {
    clients.push_back(std::make_unique<Client>(address));
    clients.back()->Hello();
  }
  std::vector<int64_t> times;
  Run(clients, address, load, load.count / 10, &times);
  times.clear();
  std::cout << "ready" << std::endl;
  std::string line;
  std::getline(std::cin, line);
  int64_t cpu = CpuNanos();
  int64_t wall = Run(clients, address, load, load.count, &times);
  cpu = CpuNanos() - cpu;
  std::sort(times.begin(), times.end());
  std::cout << "{\"wall_ns\": " << wall << ", \"cpu_ns\": " << cpu;
  auto tell = [&](const char* name, double share) {
    if (!times.empty()) {
      std::cout << ", \"" << name << "\": " << times[size_t((times.size() - 1) * share + 0.5)];
    }
  };
  tell("p50_ns", 0.5);
  tell("p99_ns", 0.99);
  tell("p999_ns", 0.999);
  std::cout << "}" << std::endl;
  while (std::cin.get() != EOF) {
  }
  std::_Exit(0);
}

}  // namespace

int main(int count, char** words) {
  std::string what = count > 1 ? words[1] : "";
  if (what == "serve") {
    Serve();
  } else if (what == "drive" && count >= 10) {
    Load load{words[5], std::atoi(words[6]), std::atoi(words[7]), std::atol(words[8]),
              words[9][0] == '1'};
    Drive(words[4], load);
  } else {
    Fail("not understood");
  }
}
