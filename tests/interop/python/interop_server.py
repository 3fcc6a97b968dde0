"""gRPC's interop server on grpcio, under the official flags.

grpcio tells a servicer nothing of how a request was compressed, so the cases that
probe it are not for this server.
"""

import argparse
import os
import pathlib
import signal
import time
from concurrent import futures

import grpc
import messages_pb2
import test_pb2_grpc
from empty_pb2 import Empty

INITIAL = "x-grpc-test-echo-initial"
TRAILING = "x-grpc-test-echo-trailing-bin"
CODES = {code.value[0]: code for code in grpc.StatusCode}


def echo_metadata(context):
    given = context.invocation_metadata()
    context.send_initial_metadata([pair for pair in given if pair[0] == INITIAL])
    context.set_trailing_metadata([pair for pair in given if pair[0] == TRAILING])


def echo_status(request, context):
    status = request.response_status
    if status.code != 0:
        context.abort(CODES[status.code], status.message)


def compress(context, parameters, field):
    """Whether the next message is compressed is its own affair."""
    if parameters.HasField(field) and not getattr(parameters, field).value:
        context.disable_next_message_compression()


def payload(kind, size):
    return messages_pb2.Payload(type=kind, body=bytes(size))


class Interop(test_pb2_grpc.TestServiceServicer):
    def EmptyCall(self, request, context):
        echo_metadata(context)
        return Empty()

    def UnaryCall(self, request, context):
        if request.HasField("response_compressed"):
            context.set_compression(grpc.Compression.Gzip)
            compress(context, request, "response_compressed")
        echo_metadata(context)
        echo_status(request, context)
        return messages_pb2.SimpleResponse(
            payload=payload(request.response_type, request.response_size),
            server_id=f"python-{os.getpid()}" if request.fill_server_id else "",
        )

    def answers(self, request, context):
        echo_status(request, context)
        for parameters in request.response_parameters:
            time.sleep(parameters.interval_us / 1e6)
            compress(context, parameters, "compressed")
            yield messages_pb2.StreamingOutputCallResponse(
                payload=payload(request.response_type, parameters.size)
            )

    def StreamingOutputCall(self, request, context):
        if any(p.HasField("compressed") for p in request.response_parameters):
            context.set_compression(grpc.Compression.Gzip)
        echo_metadata(context)
        yield from self.answers(request, context)

    def StreamingInputCall(self, request_iterator, context):
        echo_metadata(context)
        total = sum(len(request.payload.body) for request in request_iterator)
        return messages_pb2.StreamingInputCallResponse(aggregated_payload_size=total)

    def FullDuplexCall(self, request_iterator, context):
        echo_metadata(context)
        for request in request_iterator:
            yield from self.answers(request, context)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--use_tls", default="false")
    parser.add_argument("--tls_cert_file")
    parser.add_argument("--tls_key_file")
    flags = parser.parse_args()
    # It cancels calls at random once a thousand wait for its threads.
    waiting = [
        ("grpc.server.max_pending_requests", 100_000),
        ("grpc.server.max_pending_requests_hard_limit", 100_000),
    ]
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=32), options=waiting)
    test_pb2_grpc.add_TestServiceServicer_to_server(Interop(), server)
    address = f"127.0.0.1:{flags.port}"
    if flags.use_tls == "true":
        pair = [pathlib.Path(file).read_bytes() for file in (flags.tls_key_file, flags.tls_cert_file)]
        port = server.add_secure_port(address, grpc.ssl_server_credentials([pair]))
    else:
        port = server.add_insecure_port(address)
    server.start()
    print(f"listening on 127.0.0.1:{port}", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: server.stop(None))
    server.wait_for_termination()


if __name__ == "__main__":
    main()
