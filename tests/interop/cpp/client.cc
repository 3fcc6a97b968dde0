// gRPC's interop client on grpc C++, under the official flags: makes one case's
// calls, and ends with 0 if all went as the contract says.

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <deque>
#include <functional>
#include <iostream>
#include <set>

#include "flags.h"
#include "test.grpc.pb.h"

using namespace grpc::testing;
using grpc::ClientContext;
using grpc::Status;
using grpc::StatusCode;
using grpc::WriteOptions;

namespace {

constexpr int kRequests[] = {27182, 8, 1828, 45904};
constexpr int kResponses[] = {31415, 9, 2653, 58979};
constexpr int kConcurrent = 1000;
constexpr char kInitial[] = "x-grpc-test-echo-initial";
constexpr char kInitialValue[] = "test_initial_metadata_value";
constexpr char kTrailing[] = "x-grpc-test-echo-trailing-bin";
constexpr char kTrailingValue[] = "\xab\xab\xab";

template <class Found, class Expected>
void Equal(const std::string& what, const Found& found, const Expected& expected) {
  if (found == expected) return;
  std::stringstream text;
  text << what << " is " << found << ", not " << expected;
  throw std::runtime_error(text.str());
}

void Passed(const Status& status) {
  if (!status.ok()) {
    throw std::runtime_error("the call failed with " + std::to_string(status.error_code()) + ": " +
                             status.error_message());
  }
}

void Failed(const Status& status, StatusCode code) {
  Equal("the code of '" + status.error_message() + "'", static_cast<int>(status.error_code()),
        static_cast<int>(code));
}

// A call that ends in any case.
struct Call : ClientContext {
  Call() { set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30)); }
};

Payload Zeros(int size) {
  Payload payload;
  payload.set_body(std::string(size, '\0'));
  return payload;
}

SimpleRequest Large() {
  SimpleRequest request;
  request.set_response_size(314159);
  *request.mutable_payload() = Zeros(271828);
  return request;
}

void CheckLarge(const SimpleResponse& response) {
  Equal("whether the body is zeros", response.payload().body() == std::string(314159, '\0'), true);
}

StreamingOutputCallRequest Sized(int request_size, int response_size, int interval_us = 0) {
  StreamingOutputCallRequest request;
  *request.mutable_payload() = Zeros(request_size);
  auto* parameters = request.add_response_parameters();
  parameters->set_size(response_size);
  parameters->set_interval_us(interval_us);
  return request;
}

template <class Stream>
void CheckSize(Stream& stream, int size) {
  StreamingOutputCallResponse response;
  Equal("whether there is a response", stream.Read(&response), true);
  Equal("the size", static_cast<int>(response.payload().body().size()), size);
}

template <class Stream>
void CheckEnd(Stream& stream) {
  StreamingOutputCallResponse response;
  Equal("whether a response follows the last", stream.Read(&response), false);
}

class Client {
 public:
  explicit Client(const Flags& flags) : flags_(flags) {}

  // A channel that shares no connection with another.
  std::shared_ptr<grpc::Channel> Channel() const {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    const std::string& name = flags_.at("server_host_override");
    if (!name.empty()) {
      arguments.SetSslTargetNameOverride(name);
      arguments.SetString(GRPC_ARG_DEFAULT_AUTHORITY, name);
    }
    auto credentials = grpc::InsecureChannelCredentials();
    if (flags_.at("use_tls") == "true") {
      grpc::SslCredentialsOptions options;
      options.pem_root_certs = Read(flags_.at("ca_file"));
      credentials = grpc::SslCredentials(options);
    }
    const std::string address = flags_.at("server_host") + ":" + flags_.at("server_port");
    return grpc::CreateCustomChannel(address, credentials, arguments);
  }

  std::unique_ptr<TestService::Stub> Stub() const { return TestService::NewStub(Channel()); }

  int SoakIterations() const { return std::stoi(flags_.at("soak_iterations")); }

 private:
  const Flags& flags_;
};

void Unary(TestService::Stub& stub, const SimpleRequest& request = Large()) {
  Call call;
  SimpleResponse response;
  Passed(stub.UnaryCall(&call, request, &response));
  CheckLarge(response);
}

void EmptyUnary(const Client& client) {
  Call call;
  Empty response;
  Passed(client.Stub()->EmptyCall(&call, Empty(), &response));
}

void LargeUnary(const Client& client) { Unary(*client.Stub()); }

void ConcurrentLargeUnary(const Client& client) {
  struct Pending {
    Call call;
    Status status;
    SimpleResponse response;
    std::unique_ptr<grpc::ClientAsyncResponseReader<SimpleResponse>> reader;
  };
  const auto stub = client.Stub();
  grpc::CompletionQueue queue;
  std::deque<Pending> calls(kConcurrent);
  for (auto& pending : calls) {
    pending.reader = stub->AsyncUnaryCall(&pending.call, Large(), &queue);
    pending.reader->Finish(&pending.response, &pending.status, &pending);
  }
  for (int n = 0; n < kConcurrent; ++n) {
    void* tag = nullptr;
    bool ok = false;
    Equal("whether a call ended", queue.Next(&tag, &ok), true);
    const auto* pending = static_cast<Pending*>(tag);
    Passed(pending->status);
    CheckLarge(pending->response);
  }
}

void PickFirstUnary(const Client& client) {
  const auto stub = client.Stub();
  SimpleRequest request;
  request.set_fill_server_id(true);
  std::set<std::string> servers;
  for (int n = 0; n < 100; ++n) {
    Call call;
    SimpleResponse response;
    Passed(stub->UnaryCall(&call, request, &response));
    servers.insert(response.server_id());
  }
  Equal("the number of servers", servers.size(), 1u);
  Equal("whether the server has an id", servers.count(""), 0u);
}

void ClientStreaming(const Client& client) {
  Call call;
  StreamingInputCallResponse response;
  const auto stub = client.Stub();
  const auto stream = stub->StreamingInputCall(&call, &response);
  for (const int size : kRequests) {
    StreamingInputCallRequest request;
    *request.mutable_payload() = Zeros(size);
    Equal("whether a request is taken", stream->Write(request), true);
  }
  stream->WritesDone();
  Passed(stream->Finish());
  Equal("the sum of the requests", response.aggregated_payload_size(), 74922);
}

void ServerStreaming(const Client& client) {
  StreamingOutputCallRequest request;
  for (const int size : kResponses) request.add_response_parameters()->set_size(size);
  Call call;
  const auto stub = client.Stub();
  const auto stream = stub->StreamingOutputCall(&call, request);
  for (const int size : kResponses) CheckSize(*stream, size);
  CheckEnd(*stream);
  Passed(stream->Finish());
}

void PingPong(const Client& client) {
  Call call;
  const auto stub = client.Stub();
  const auto stream = stub->FullDuplexCall(&call);
  for (size_t n = 0; n < std::size(kRequests); ++n) {
    Equal("whether a request is taken", stream->Write(Sized(kRequests[n], kResponses[n])), true);
    CheckSize(*stream, kResponses[n]);
  }
  stream->WritesDone();
  CheckEnd(*stream);
  Passed(stream->Finish());
}

void EmptyStream(const Client& client) {
  Call call;
  const auto stub = client.Stub();
  const auto stream = stub->FullDuplexCall(&call);
  stream->WritesDone();
  CheckEnd(*stream);
  Passed(stream->Finish());
}

std::string Value(const std::multimap<grpc::string_ref, grpc::string_ref>& metadata, const char* key) {
  const auto found = metadata.find(key);
  return found == metadata.end() ? "" : std::string(found->second.data(), found->second.size());
}

void CheckEcho(const Call& call) {
  Equal(kInitial, Value(call.GetServerInitialMetadata(), kInitial), kInitialValue);
  Equal(kTrailing, Value(call.GetServerTrailingMetadata(), kTrailing), kTrailingValue);
}

void CustomMetadata(const Client& client) {
  const auto stub = client.Stub();
  Call unary;
  unary.AddMetadata(kInitial, kInitialValue);
  unary.AddMetadata(kTrailing, kTrailingValue);
  SimpleResponse response;
  Passed(stub->UnaryCall(&unary, Large(), &response));
  CheckLarge(response);
  CheckEcho(unary);

  Call call;
  call.AddMetadata(kInitial, kInitialValue);
  call.AddMetadata(kTrailing, kTrailingValue);
  const auto stream = stub->FullDuplexCall(&call);
  stream->Write(Sized(271828, 314159));
  stream->WritesDone();
  CheckSize(*stream, 314159);
  CheckEnd(*stream);
  Passed(stream->Finish());
  CheckEcho(call);
}

void UnaryStatus(const Client& client, const std::string& message) {
  SimpleRequest request;
  request.mutable_response_status()->set_code(2);
  request.mutable_response_status()->set_message(message);
  Call call;
  SimpleResponse response;
  const Status status = client.Stub()->UnaryCall(&call, request, &response);
  Failed(status, StatusCode::UNKNOWN);
  Equal("the message", status.error_message(), message);
}

void StatusCodeAndMessage(const Client& client) {
  const std::string message = "test status message";
  UnaryStatus(client, message);
  StreamingOutputCallRequest request;
  request.mutable_response_status()->set_code(2);
  request.mutable_response_status()->set_message(message);
  Call call;
  const auto stub = client.Stub();
  const auto stream = stub->FullDuplexCall(&call);
  stream->Write(request);
  stream->WritesDone();
  CheckEnd(*stream);
  const Status status = stream->Finish();
  Failed(status, StatusCode::UNKNOWN);
  Equal("the message", status.error_message(), message);
}

void SpecialStatusMessage(const Client& client) {
  UnaryStatus(client, "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n");
}

void UnimplementedMethod(const Client& client) {
  Call call;
  Empty response;
  Failed(client.Stub()->UnimplementedCall(&call, Empty(), &response), StatusCode::UNIMPLEMENTED);
}

void UnimplementedServiceCase(const Client& client) {
  Call call;
  Empty response;
  const auto stub = UnimplementedService::NewStub(client.Channel());
  Failed(stub->UnimplementedCall(&call, Empty(), &response), StatusCode::UNIMPLEMENTED);
}

void CancelAfterBegin(const Client& client) {
  Call call;
  StreamingInputCallResponse response;
  const auto stub = client.Stub();
  const auto stream = stub->StreamingInputCall(&call, &response);
  call.TryCancel();
  Failed(stream->Finish(), StatusCode::CANCELLED);
}

void CancelAfterFirstResponse(const Client& client) {
  Call call;
  const auto stub = client.Stub();
  const auto stream = stub->FullDuplexCall(&call);
  stream->Write(Sized(27182, 31415));
  CheckSize(*stream, 31415);
  call.TryCancel();
  Failed(stream->Finish(), StatusCode::CANCELLED);
}

void TimeoutOnSleepingServer(const Client& client) {
  Call call;
  call.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(1));
  const auto stub = client.Stub();
  const auto stream = stub->FullDuplexCall(&call);
  stream->Write(Sized(27182, 31415, 10'000'000));
  Failed(stream->Finish(), StatusCode::DEADLINE_EXCEEDED);
}

void RpcSoak(const Client& client) {
  const auto stub = client.Stub();
  for (int n = 0; n < client.SoakIterations(); ++n) Unary(*stub);
}

void ChannelSoak(const Client& client) {
  for (int n = 0; n < client.SoakIterations(); ++n) Unary(*client.Stub());
}

void ClientCompressedUnary(const Client& client) {
  const auto stub = client.Stub();
  const auto run = [&](bool expected, grpc_compression_algorithm algorithm, SimpleResponse* response) {
    SimpleRequest request = Large();
    request.mutable_expect_compressed()->set_value(expected);
    Call call;
    call.set_compression_algorithm(algorithm);
    return stub->UnaryCall(&call, request, response);
  };
  SimpleResponse response;
  Failed(run(true, GRPC_COMPRESS_NONE, &response), StatusCode::INVALID_ARGUMENT);
  Passed(run(true, GRPC_COMPRESS_GZIP, &response));
  CheckLarge(response);
  Passed(run(false, GRPC_COMPRESS_NONE, &response));
  CheckLarge(response);
}

void ClientCompressedStreaming(const Client& client) {
  const auto stub = client.Stub();
  struct Message {
    int size;
    bool expected, compressed;
  };
  const auto run = [&](const std::vector<Message>& messages, StreamingInputCallResponse* response) {
    Call call;
    call.set_compression_algorithm(GRPC_COMPRESS_GZIP);
    const auto stream = stub->StreamingInputCall(&call, response);
    for (const auto& [size, expected, compressed] : messages) {
      StreamingInputCallRequest request;
      *request.mutable_payload() = Zeros(size);
      request.mutable_expect_compressed()->set_value(expected);
      WriteOptions options;
      if (!compressed) options.set_no_compression();
      stream->Write(request, options);
    }
    stream->WritesDone();
    return stream->Finish();
  };
  StreamingInputCallResponse response;
  Failed(run({{27182, true, false}}, &response), StatusCode::INVALID_ARGUMENT);
  Passed(run({{27182, true, true}, {45904, false, false}}, &response));
  Equal("the sum of the requests", response.aggregated_payload_size(), 73086);
}

// The library does not tell how a message came, only what it is.
void ServerCompressedUnary(const Client& client) {
  const auto stub = client.Stub();
  for (const bool compressed : {true, false}) {
    SimpleRequest request = Large();
    request.mutable_response_compressed()->set_value(compressed);
    Unary(*stub, request);
  }
}

void ServerCompressedStreaming(const Client& client) {
  StreamingOutputCallRequest request;
  for (const auto& [size, compressed] : {std::pair(31415, true), std::pair(92653, false)}) {
    auto* parameters = request.add_response_parameters();
    parameters->set_size(size);
    parameters->mutable_compressed()->set_value(compressed);
  }
  Call call;
  const auto stub = client.Stub();
  const auto stream = stub->StreamingOutputCall(&call, request);
  CheckSize(*stream, 31415);
  CheckSize(*stream, 92653);
  CheckEnd(*stream);
  Passed(stream->Finish());
}

const std::map<std::string, std::function<void(const Client&)>> kCases = {
    {"empty_unary", EmptyUnary},
    {"large_unary", LargeUnary},
    {"concurrent_large_unary", ConcurrentLargeUnary},
    {"pick_first_unary", PickFirstUnary},
    {"client_streaming", ClientStreaming},
    {"server_streaming", ServerStreaming},
    {"ping_pong", PingPong},
    {"empty_stream", EmptyStream},
    {"custom_metadata", CustomMetadata},
    {"status_code_and_message", StatusCodeAndMessage},
    {"special_status_message", SpecialStatusMessage},
    {"unimplemented_method", UnimplementedMethod},
    {"unimplemented_service", UnimplementedServiceCase},
    {"cancel_after_begin", CancelAfterBegin},
    {"cancel_after_first_response", CancelAfterFirstResponse},
    {"timeout_on_sleeping_server", TimeoutOnSleepingServer},
    {"rpc_soak", RpcSoak},
    {"channel_soak", ChannelSoak},
    {"client_compressed_unary", ClientCompressedUnary},
    {"client_compressed_streaming", ClientCompressedStreaming},
    {"server_compressed_unary", ServerCompressedUnary},
    {"server_compressed_streaming", ServerCompressedStreaming},
};

}  // namespace

int main(int argc, char** argv) try {
  const Flags flags = Parse(argc, argv,
                            {{"server_host", "127.0.0.1"},
                             {"server_port", ""},
                             {"server_host_override", ""},
                             {"test_case", ""},
                             {"use_tls", "false"},
                             {"ca_file", ""},
                             {"soak_iterations", "10"}});
  kCases.at(flags.at("test_case"))(Client(flags));
} catch (const std::exception& error) {
  std::cerr << error.what() << std::endl;
  return 1;
}
