"""grpcio as a load client of an interop server.

Repeats one kind of call on one channel until the time is up or all are made, and
prints a line of JSON. Ends with 1 if a call did not end as it should.
"""

import argparse
import itertools
import json
import sys
import threading
import time

import grpc
import test_pb2_grpc
from messages_pb2 import (
    Payload,
    ResponseParameters,
    SimpleRequest,
    StreamingInputCallRequest,
    StreamingOutputCallRequest,
)

# What a call may take after the time is up, before it counts as stuck.
PATIENCE = 20


class Wrong(Exception):
    """What came is not what was asked for."""


class Calls:
    """One call of each kind; each adds what it carried to `tally`."""

    def __init__(self, flags, stub):
        self.flags = flags
        self.stub = stub
        self.bound = flags.seconds + PATIENCE

    def payload(self):
        return Payload(body=bytes(self.flags.size))

    def parameters(self):
        return ResponseParameters(size=self.flags.size)

    def download(self, cancel, tally):
        parameters = [self.parameters()] * self.flags.messages
        request = StreamingOutputCallRequest(response_parameters=parameters)
        call = self.stub.StreamingOutputCall(request, timeout=self.bound)
        self.responses(call, cancel, tally)

    def bidi(self, cancel, tally):
        parameters = [self.parameters()]
        request = StreamingOutputCallRequest(
            response_parameters=parameters, payload=self.payload()
        )
        requests = itertools.repeat(request, self.flags.messages)
        self.responses(self.stub.FullDuplexCall(requests, timeout=self.bound), cancel, tally)

    def responses(self, call, cancel, tally):
        came = 0
        try:
            for response in call:
                if len(response.payload.body) != self.flags.size:
                    raise Wrong(f"a message of {len(response.payload.body)} bytes came")
                came += 1
                if cancel:
                    call.cancel()
                    break
        finally:
            tally.add(came, came * self.flags.size)
        if cancel:
            # All may have come before.
            ended(call.code(), grpc.StatusCode.CANCELLED, grpc.StatusCode.OK)
        elif came != self.flags.messages:
            raise Wrong(f"{came} of {self.flags.messages} messages came")

    def unary(self, _cancel, tally):
        request = SimpleRequest(response_size=self.flags.size, payload=self.payload())
        response = self.stub.UnaryCall(request, timeout=self.bound)
        if len(response.payload.body) != self.flags.size:
            raise Wrong(f"a message of {len(response.payload.body)} bytes came")
        tally.add(1, self.flags.size)

    def upload(self, cancel, tally):
        request = StreamingInputCallRequest(payload=self.payload())
        if cancel:
            sent, over = threading.Event(), threading.Event()

            def first():
                yield request
                sent.set()
                over.wait(self.bound)

            call = self.stub.StreamingInputCall.future(first(), timeout=self.bound)
            sent.wait(self.bound)
            call.cancel()
            over.set()
            ended(call.code(), grpc.StatusCode.CANCELLED)
            tally.add(1, self.flags.size)
            return
        requests = itertools.repeat(request, self.flags.messages)
        response = self.stub.StreamingInputCall(requests, timeout=self.bound)
        expected = self.flags.size * self.flags.messages
        if response.aggregated_payload_size != expected:
            raise Wrong(f"{response.aggregated_payload_size} of {expected} bytes came")
        tally.add(self.flags.messages, expected)


def ended(code, *expected):
    if code not in expected:
        raise Wrong(f"a cancelled call ended with {code}")


class Tally:
    def __init__(self):
        self.lock = threading.Lock()
        self.numbers = itertools.count(1)
        self.calls = self.cancelled = self.messages = self.bytes = 0
        self.failures = []

    def add(self, messages, size):
        with self.lock:
            self.messages += messages
            self.bytes += size


def repeat(flags, call, tally, began):
    """A stream ends with its first failure, as most failures are the connection's."""
    while time.monotonic() - began < flags.seconds:
        number = next(tally.numbers)
        if 0 < flags.calls < number:
            return
        cancel = flags.cancel_every > 0 and number % flags.cancel_every == 0
        failure = None
        try:
            call(cancel, tally)
        except grpc.RpcError as error:
            failure = f"call {number}: {error.code()}: {error.details()}"
        except Wrong as error:
            failure = f"call {number}: {error}"
        with tally.lock:
            tally.calls += 1
            if failure:
                tally.failures.append(failure)
                return
            tally.cancelled += cancel


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server_port", type=int, required=True)
    parser.add_argument("--work", choices=["download", "upload", "bidi", "unary"], default="download")
    for name, default in (
        ("size", 1024),
        ("messages", 1000),
        ("streams", 1),
        ("seconds", 5),
        ("calls", 0),
        ("cancel_every", 0),
    ):
        parser.add_argument(f"--{name}", type=int, default=default)
    flags = parser.parse_args()
    tally = Tally()
    with grpc.insecure_channel(f"127.0.0.1:{flags.server_port}") as channel:
        calls = Calls(flags, test_pb2_grpc.TestServiceStub(channel))
        began = time.monotonic()
        arguments = (flags, getattr(calls, flags.work), tally, began)
        streams = [threading.Thread(target=repeat, args=arguments) for _ in range(flags.streams)]
        for stream in streams:
            stream.start()
        for stream in streams:
            stream.join()
        seconds = time.monotonic() - began
    told = ("calls", "cancelled", "messages", "bytes", "failures")
    print(json.dumps({**{name: getattr(tally, name) for name in told}, "seconds": seconds}))
    return 1 if tally.failures else 0


if __name__ == "__main__":
    sys.exit(main())
