"""The peer's HelloService on grpcio: does what metadata asks for.

The keys are those of tests/src/bin/hello_peer/server.rs, where they are explained.
"""

import argparse
import pathlib
import signal
import threading
from concurrent import futures

import grpc
import hello_pb2
import hello_pb2_grpc
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

CODES = {code.value[0]: code for code in grpc.StatusCode}

RUNNING, COMPLETE, CANCELLED = "running", "complete", "cancelled"


def hello(name):
    return hello_pb2.HelloResponse(reply=f"Hello, {name}!")


def refusal(message):
    """A status with the details that `details` fails with."""
    violation = error_details_pb2.BadRequest.FieldViolation(
        field="greeting", description="whom shall I greet? ☺"
    )
    details = [any_pb2.Any(), any_pb2.Any()]
    details[0].Pack(
        error_details_pb2.ErrorInfo(
            reason="TOO_TERSE", domain="hello.example", metadata={"least": "1"}
        )
    )
    details[1].Pack(error_details_pb2.BadRequest(field_violations=[violation]))
    status = status_pb2.Status(code=code_pb2.INVALID_ARGUMENT, message=message, details=details)
    return rpc_status.to_status(status)


class Calls:
    """How far the calls with an x-id have come."""

    def __init__(self):
        self.states = {}
        self.changed = threading.Condition()

    def put(self, name, state):
        with self.changed:
            self.states[name] = state
            self.changed.notify_all()

    def came(self, name, far):
        with self.changed:
            self.changed.wait_for(lambda: far(self.states.get(name)), timeout=15)
            return self.states.get(name, "unknown")


class Call:
    """A call that is kept account of, from its start to its end."""

    def __init__(self, calls, asked, context):
        self.calls = calls
        self.name = asked.get("x-id")
        self.outcome = CANCELLED
        self.over = threading.Event()
        if self.name is not None:
            calls.put(self.name, RUNNING)
            if not context.add_callback(self.end):
                self.end()

    def end(self):
        self.calls.put(self.name, self.outcome)
        self.over.set()

    def read_to_the_end(self):
        """All requests have been read.

        grpcio may end the iterator of a cancelled call as it does that of a
        complete one, and tell of the cancellation just after.
        """
        if self.name is not None and not self.over.wait(5):
            self.outcome = COMPLETE


class Peer(hello_pb2_grpc.HelloServiceServicer):
    def __init__(self):
        self.calls = Calls()

    def begin(self, context):
        """Echoes; gives the metadata that steers the call, and its account."""
        given = context.invocation_metadata()
        echo = {"x-echo": "x-echo-%s", "x-echo-bin": "x-echo-%s-bin"}
        for kind, send in (
            ("initial", context.send_initial_metadata),
            ("trailing", context.set_trailing_metadata),
        ):
            send(tuple((echo[key] % kind, value) for key, value in given if key in echo))
        asked = dict(given)
        queries = ("started", "ended")
        call = Call(self.calls, {} if asked.get("x-do") in queries else asked, context)
        return asked, call

    def came(self, asked, far):
        return hello_pb2.HelloResponse(reply=self.calls.came(asked["x-id"], far))

    def fail(self, asked, message, context):
        details = asked.get("x-details-bin")
        if details:
            trailing = context.trailing_metadata() or ()
            context.set_trailing_metadata((*trailing, ("grpc-status-details-bin", details)))
        context.abort(CODES[int(asked["x-code"])], message)

    def SayHello(self, request, context):
        asked, call = self.begin(context)
        task = asked.get("x-do")
        if task == "wait":
            call.over.wait()
        elif task == "started":
            return self.came(asked, lambda state: state is not None)
        elif task == "ended":
            return self.came(asked, lambda state: state not in (None, RUNNING))
        elif task == "fail":
            self.fail(asked, request.greeting, context)
        elif task == "details":
            context.abort_with_status(refusal(request.greeting))
        elif task == "authorization":
            return hello_pb2.HelloResponse(reply=asked.get("authorization", ""))
        elif task == "cancel":
            context.cancel()
        elif task == "size":
            return hello_pb2.HelloResponse(reply="x" * int(request.greeting))
        elif task == "remaining":
            left = context.time_remaining()
            # Without a deadline it is centuries, or None, by the version.
            known = left is not None and left < 1e6
            return hello_pb2.HelloResponse(reply=str(int(left * 1000)) if known else "none")
        return hello(request.greeting)

    def LotsOfReplies(self, request, context):
        asked, call = self.begin(context)
        task = asked.get("x-do")
        if task == "size":
            for _ in range(4):
                yield hello_pb2.HelloResponse(reply="x" * int(request.greeting))
        elif task is not None:
            yield hello(request.greeting)
            if task == "wait":
                call.over.wait()
            elif task == "fail":
                self.fail(asked, request.greeting, context)
            elif task == "cancel":
                context.cancel()
        else:
            for salute in ("Hello", "Bonjour", "Hallo", "Hola", "Ciao"):
                yield hello_pb2.HelloResponse(reply=f"{salute}, {request.greeting}!")

    def LotsOfGreetings(self, request_iterator, context):
        _, call = self.begin(context)
        names = [request.greeting for request in request_iterator]
        call.read_to_the_end()
        return hello(", ".join(names))

    def BidiHello(self, request_iterator, context):
        asked, call = self.begin(context)
        for request in request_iterator:
            yield hello(request.greeting)
            if asked.get("x-do") == "enough":
                return
        call.read_to_the_end()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--use_tls", default="false")
    parser.add_argument("--tls_cert_file")
    parser.add_argument("--tls_key_file")
    flags = parser.parse_args()
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=32))
    hello_pb2_grpc.add_HelloServiceServicer_to_server(Peer(), server)
    if flags.use_tls == "true":
        pair = [pathlib.Path(file).read_bytes() for file in (flags.tls_key_file, flags.tls_cert_file)]
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(f"listening on 127.0.0.1:{port}", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: server.stop(None))
    server.wait_for_termination()


if __name__ == "__main__":
    main()
