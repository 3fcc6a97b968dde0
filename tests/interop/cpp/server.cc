// gRPC's interop server on grpc C++, under the official flags.
//
// The library tells a servicer nothing of how a request was compressed, so the
// cases that probe it are not for this server.

#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <chrono>
#include <iostream>
#include <thread>

#include "flags.h"
#include "test.grpc.pb.h"

using namespace grpc::testing;
using grpc::ServerContext;
using grpc::Status;
using grpc::WriteOptions;

namespace {

constexpr char kInitial[] = "x-grpc-test-echo-initial";
constexpr char kTrailing[] = "x-grpc-test-echo-trailing-bin";

std::string Text(grpc::string_ref text) { return {text.data(), text.size()}; }

void EchoMetadata(ServerContext* context) {
  for (const auto& [key, value] : context->client_metadata()) {
    if (key == kInitial) context->AddInitialMetadata(kInitial, Text(value));
    if (key == kTrailing) context->AddTrailingMetadata(kTrailing, Text(value));
  }
}

template <class Request>
Status EchoStatus(const Request& request) {
  const auto& status = request.response_status();
  return Status(static_cast<grpc::StatusCode>(status.code()), status.message());
}

template <class Writer>
Status Answer(const StreamingOutputCallRequest& request, Writer* writer) {
  if (const Status status = EchoStatus(request); !status.ok()) return status;
  for (const auto& parameters : request.response_parameters()) {
    std::this_thread::sleep_for(std::chrono::microseconds(parameters.interval_us()));
    StreamingOutputCallResponse response;
    response.mutable_payload()->set_body(std::string(parameters.size(), '\0'));
    WriteOptions options;
    if (!parameters.compressed().value()) options.set_no_compression();
    writer->Write(response, options);
  }
  return Status::OK;
}

class Interop final : public TestService::Service {
  Status EmptyCall(ServerContext* context, const Empty*, Empty*) override {
    EchoMetadata(context);
    return Status::OK;
  }

  Status UnaryCall(ServerContext* context, const SimpleRequest* request, SimpleResponse* response) override {
    EchoMetadata(context);
    if (request->response_compressed().value()) context->set_compression_algorithm(GRPC_COMPRESS_GZIP);
    response->mutable_payload()->set_body(std::string(request->response_size(), '\0'));
    if (request->fill_server_id()) response->set_server_id("cpp-" + std::to_string(getpid()));
    return EchoStatus(*request);
  }

  Status StreamingOutputCall(ServerContext* context, const StreamingOutputCallRequest* request,
                             grpc::ServerWriter<StreamingOutputCallResponse>* writer) override {
    EchoMetadata(context);
    for (const auto& parameters : request->response_parameters()) {
      if (parameters.compressed().value()) context->set_compression_algorithm(GRPC_COMPRESS_GZIP);
    }
    return Answer(*request, writer);
  }

  Status StreamingInputCall(ServerContext* context, grpc::ServerReader<StreamingInputCallRequest>* reader,
                            StreamingInputCallResponse* response) override {
    EchoMetadata(context);
    size_t total = 0;
    StreamingInputCallRequest request;
    while (reader->Read(&request)) total += request.payload().body().size();
    response->set_aggregated_payload_size(static_cast<int>(total));
    return Status::OK;
  }

  Status FullDuplexCall(
      ServerContext* context,
      grpc::ServerReaderWriter<StreamingOutputCallResponse, StreamingOutputCallRequest>* stream) override {
    EchoMetadata(context);
    StreamingOutputCallRequest request;
    while (stream->Read(&request)) {
      if (const Status status = Answer(request, stream); !status.ok()) return status;
    }
    return Status::OK;
  }
};

}  // namespace

int main(int argc, char** argv) {
  const Flags flags =
      Parse(argc, argv, {{"port", "0"}, {"use_tls", "false"}, {"tls_cert_file", ""}, {"tls_key_file", ""}});
  auto credentials = grpc::InsecureServerCredentials();
  if (flags.at("use_tls") == "true") {
    grpc::SslServerCredentialsOptions options;
    options.pem_key_cert_pairs.push_back({Read(flags.at("tls_key_file")), Read(flags.at("tls_cert_file"))});
    credentials = grpc::SslServerCredentials(options);
  }
  Interop interop;
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:" + flags.at("port"), credentials, &port);
  builder.RegisterService(&interop);
  const auto server = builder.BuildAndStart();
  if (!server) return 1;
  std::cout << "listening on 127.0.0.1:" << port << std::endl;
  server->Wait();
}
