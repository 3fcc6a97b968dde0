"""gRPC's interop client on grpcio, under the official flags.

Makes one case's calls, and ends with 0 if all went as the contract says.
"""

import argparse
import pathlib
import queue
import sys

import grpc
import messages_pb2
import test_pb2_grpc
from empty_pb2 import Empty
from messages_pb2 import ResponseParameters, SimpleRequest, StreamingOutputCallRequest

# What every call may take: long enough for anything that is not stuck.
BOUND = 30
REQUESTS = (27182, 8, 1828, 45904)
RESPONSES = (31415, 9, 2653, 58979)
CONCURRENT = 1000

INITIAL = "x-grpc-test-echo-initial"
TRAILING = "x-grpc-test-echo-trailing-bin"
METADATA = ((INITIAL, "test_initial_metadata_value"), (TRAILING, b"\xab\xab\xab"))

CASES = {}


def case(function):
    CASES[function.__name__] = function
    return function


def equal(what, found, expected):
    if found != expected:
        raise AssertionError(f"{what} is {found!r}, not {expected!r}"[:500])


def failed(call, code):
    """Takes the call's result or next response, which has to be its failure."""
    try:
        call()
    except grpc.RpcError as error:
        equal("the code", error.code(), code)
        return error
    raise AssertionError(f"the call succeeded, instead of failing with {code}")


def payload(size):
    return messages_pb2.Payload(body=bytes(size))


def flag(value):
    return messages_pb2.BoolValue(value=value)


def large():
    return SimpleRequest(response_size=314159, payload=payload(271828))


def check_large(response):
    equal("whether the body is zeros", response.payload.body == bytes(314159), True)


def sized(request, response, interval_us=0):
    parameters = [ResponseParameters(size=response, interval_us=interval_us)]
    return StreamingOutputCallRequest(response_parameters=parameters, payload=payload(request))


def size(response):
    return len(response.payload.body)


class Requests:
    """A request stream that is written to as the call goes on."""

    def __init__(self):
        self.queue = queue.Queue()

    def send(self, request):
        self.queue.put(request)

    def finish(self):
        self.queue.put(None)

    def __iter__(self):
        return iter(self.queue.get, None)


@case
def empty_unary(client):
    equal("the response", client.stub().EmptyCall(Empty(), timeout=BOUND), Empty())


@case
def large_unary(client):
    check_large(client.stub().UnaryCall(large(), timeout=BOUND))


@case
def concurrent_large_unary(client):
    stub = client.stub()
    calls = [stub.UnaryCall.future(large(), timeout=BOUND) for _ in range(CONCURRENT)]
    for call in calls:
        check_large(call.result())


@case
def pick_first_unary(client):
    stub = client.stub()
    request = SimpleRequest(fill_server_id=True)
    servers = {stub.UnaryCall(request, timeout=BOUND).server_id for _ in range(100)}
    equal("the number of servers", len(servers), 1)
    equal("whether the server has an id", servers != {""}, True)


@case
def client_streaming(client):
    requests = (messages_pb2.StreamingInputCallRequest(payload=payload(n)) for n in REQUESTS)
    response = client.stub().StreamingInputCall(requests, timeout=BOUND)
    equal("the sum of the requests", response.aggregated_payload_size, sum(REQUESTS))


@case
def server_streaming(client):
    parameters = [ResponseParameters(size=n) for n in RESPONSES]
    request = StreamingOutputCallRequest(response_parameters=parameters)
    responses = client.stub().StreamingOutputCall(request, timeout=BOUND)
    equal("the sizes", tuple(map(size, responses)), RESPONSES)


@case
def ping_pong(client):
    requests = Requests()
    responses = client.stub().FullDuplexCall(iter(requests), timeout=BOUND)
    for request, response in zip(REQUESTS, RESPONSES):
        requests.send(sized(request, response))
        equal("the size", size(next(responses)), response)
    requests.finish()
    equal("what follows the last response", next(responses, None), None)


@case
def empty_stream(client):
    responses = client.stub().FullDuplexCall(iter(()), timeout=BOUND)
    equal("what comes for no request", next(responses, None), None)


def check_echo(call):
    echoed = dict(call.initial_metadata()).get(INITIAL), dict(call.trailing_metadata()).get(TRAILING)
    equal("what is echoed", echoed, tuple(value for _, value in METADATA))


@case
def custom_metadata(client):
    response, call = client.stub().UnaryCall.with_call(large(), metadata=METADATA, timeout=BOUND)
    check_large(response)
    check_echo(call)
    requests = iter([sized(271828, 314159)])
    responses = client.stub().FullDuplexCall(requests, metadata=METADATA, timeout=BOUND)
    equal("the sizes", [size(response) for response in responses], [314159])
    check_echo(responses)


def status(message):
    return messages_pb2.EchoStatus(code=2, message=message)


def check_status(client, message):
    request = SimpleRequest(response_status=status(message))
    call = lambda: client.stub().UnaryCall(request, timeout=BOUND)
    equal("the message", failed(call, grpc.StatusCode.UNKNOWN).details(), message)


@case
def status_code_and_message(client):
    message = "test status message"
    check_status(client, message)
    request = StreamingOutputCallRequest(response_status=status(message))
    responses = client.stub().FullDuplexCall(iter([request]), timeout=BOUND)
    error = failed(lambda: next(responses), grpc.StatusCode.UNKNOWN)
    equal("the message", error.details(), message)


@case
def special_status_message(client):
    check_status(client, "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n")


@case
def unimplemented_method(client):
    call = lambda: client.stub().UnimplementedCall(Empty(), timeout=BOUND)
    failed(call, grpc.StatusCode.UNIMPLEMENTED)


@case
def unimplemented_service(client):
    stub = test_pb2_grpc.UnimplementedServiceStub(client.channel())
    call = lambda: stub.UnimplementedCall(Empty(), timeout=BOUND)
    failed(call, grpc.StatusCode.UNIMPLEMENTED)


@case
def cancel_after_begin(client):
    requests = Requests()
    call = client.stub().StreamingInputCall.future(iter(requests), timeout=BOUND)
    call.cancel()
    requests.finish()
    equal("the code", call.code(), grpc.StatusCode.CANCELLED)


@case
def cancel_after_first_response(client):
    requests = Requests()
    responses = client.stub().FullDuplexCall(iter(requests), timeout=BOUND)
    requests.send(sized(27182, 31415))
    equal("the size", size(next(responses)), 31415)
    responses.cancel()
    failed(lambda: next(responses), grpc.StatusCode.CANCELLED)
    requests.finish()


@case
def timeout_on_sleeping_server(client):
    requests = Requests()
    responses = client.stub().FullDuplexCall(iter(requests), timeout=0.001)
    requests.send(sized(27182, 31415, 10_000_000))
    failed(lambda: next(responses), grpc.StatusCode.DEADLINE_EXCEEDED)
    requests.finish()


def soak(client, stub):
    for _ in range(client.flags.soak_iterations):
        check_large(stub().UnaryCall(large(), timeout=BOUND))


@case
def rpc_soak(client):
    stub = client.stub()
    soak(client, lambda: stub)


@case
def channel_soak(client):
    soak(client, client.stub)


def compressed(on):
    return grpc.Compression.Gzip if on else grpc.Compression.NoCompression


@case
def client_compressed_unary(client):
    def call(expected, on):
        request = large()
        request.expect_compressed.value = expected
        return client.stub().UnaryCall(request, compression=compressed(on), timeout=BOUND)

    failed(lambda: call(True, False), grpc.StatusCode.INVALID_ARGUMENT)
    check_large(call(True, True))
    check_large(call(False, False))


@case
def server_compressed_unary(client):
    """grpcio does not tell how a message came, only what it is."""
    for on in (True, False):
        request = large()
        request.response_compressed.value = on
        check_large(client.stub().UnaryCall(request, timeout=BOUND))


@case
def server_compressed_streaming(client):
    sizes = ((31415, True), (92653, False))
    parameters = [ResponseParameters(size=n, compressed=flag(on)) for n, on in sizes]
    request = StreamingOutputCallRequest(response_parameters=parameters)
    responses = client.stub().StreamingOutputCall(request, timeout=BOUND)
    equal("the sizes", list(map(size, responses)), [n for n, _ in sizes])


class Client:
    def __init__(self, flags):
        self.flags = flags
        self.channels = []

    def channel(self):
        """A channel that shares no connection with another."""
        address = f"{self.flags.server_host}:{self.flags.server_port}"
        options = [("grpc.use_local_subchannel_pool", 1)]
        if self.flags.server_host_override:
            options.append(("grpc.ssl_target_name_override", self.flags.server_host_override))
            options.append(("grpc.default_authority", self.flags.server_host_override))
        if self.flags.use_tls == "true":
            credentials = grpc.ssl_channel_credentials(pathlib.Path(self.flags.ca_file).read_bytes())
            channel = grpc.secure_channel(address, credentials, options)
        else:
            channel = grpc.insecure_channel(address, options)
        self.channels.append(channel)
        return channel

    def stub(self):
        return test_pb2_grpc.TestServiceStub(self.channel())

    def close(self):
        for channel in self.channels:
            channel.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server_host", default="127.0.0.1")
    parser.add_argument("--server_port", required=True)
    parser.add_argument("--server_host_override")
    parser.add_argument("--test_case", choices=CASES, required=True)
    parser.add_argument("--use_tls", default="false")
    parser.add_argument("--ca_file")
    parser.add_argument("--soak_iterations", type=int, default=10)
    flags = parser.parse_args()
    client = Client(flags)
    try:
        CASES[flags.test_case](client)
    except grpc.RpcError as error:
        sys.exit(f"a call failed with {error.code()}: {error.details()}")
    finally:
        client.close()


if __name__ == "__main__":
    main()
