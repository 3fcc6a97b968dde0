"""Every case's calls of a peer, made by grpcio: hello_client.py FLAGS ADDR.

Prints `pass NAME` or `FAIL NAME: REASON` for each. The cases and their names are
those of tests/src/bin/hello_peer/cases. With --kinds it makes only the calls that
any HelloService answers; for TLS it takes the flags of interop_client.py.
"""

import argparse
import itertools
import pathlib
import queue
import sys
import time

import grpc
import hello_pb2
import hello_pb2_grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

# What every call may take: long enough for anything that is not stuck.
BOUND = 20
LARGE = 2 << 20
# Above the 4 MiB that both sides take unless told otherwise.
TOO_LARGE = 5 << 20
TIMEOUT = 0.3
# White space at the ends, line breaks, a percent sign that escapes nothing, and
# characters of two, three and four bytes.
MESSAGE = "\t\n100 % of %41\r\nñ ☺ 😈\t\n"
TOKEN = "mF_9.B5f-4.1JqM"
CODES = {code.value[0]: code for code in grpc.StatusCode}

CASES = []
KINDS = set()


def case(name, kind=False):
    """Registers a case; a `kind` needs nothing but a plain HelloService."""

    def register(function):
        CASES.append((name, function))
        if kind:
            KINDS.add(name)
        return function

    return register


def equal(what, found, expected):
    if found != expected:
        raise AssertionError(f"{what} is {found!r}, not {expected!r}"[:500])


def greeting(name):
    return hello_pb2.HelloRequest(greeting=name)


def failed(call, code):
    """Takes the call's result or next reply, which has to be its failure."""
    try:
        call()
    except grpc.RpcError as error:
        equal("the code", error.code(), code)
        return error
    raise AssertionError(f"the call succeeded, instead of failing with {code}")


def values(metadata, key):
    return [value for name, value in metadata or () if name == key]


class Requests:
    """A request stream that is written to as the call goes on."""

    def __init__(self):
        self.queue = queue.Queue()

    def send(self, name):
        self.queue.put(greeting(name))

    def finish(self):
        self.queue.put(None)

    def __iter__(self):
        return iter(self.queue.get, None)


class Client:
    def __init__(self, flags):
        self.flags = flags
        self.encrypted = flags.use_tls == "true"
        self.channel = self.connect()
        self.stub = hello_pb2_grpc.HelloServiceStub(self.channel)
        self.ids = itertools.count()

    def connect(self, calls=None):
        """A channel, with credentials of calls if there are any.

        Without encryption grpcio takes those only under the name of `local`, which
        is plain text within a machine.
        """
        options = []
        if self.flags.server_host_override:
            options.append(("grpc.ssl_target_name_override", self.flags.server_host_override))
        if self.encrypted:
            roots = pathlib.Path(self.flags.ca_file).read_bytes()
            credentials = grpc.ssl_channel_credentials(roots)
        elif calls is not None:
            credentials = grpc.local_channel_credentials()
        else:
            return grpc.insecure_channel(self.flags.address, options)
        if calls is not None:
            credentials = grpc.composite_channel_credentials(credentials, calls)
        return grpc.secure_channel(self.flags.address, credentials, options)

    def id(self):
        return f"python-{next(self.ids)}"

    def hello(self, name, metadata=(), timeout=BOUND):
        return self.stub.SayHello(greeting(name), metadata=metadata, timeout=timeout).reply

    def started(self, name):
        self.hello("", (("x-do", "started"), ("x-id", name)))

    def saw_cancelled(self, name):
        state = self.hello("", (("x-do", "ended"), ("x-id", name)))
        equal("how the call ended for the peer", state, "cancelled")


@case("unary", kind=True)
def unary(client):
    equal("the reply", client.hello("Zoë"), "Hello, Zoë!")


@case("server streaming", kind=True)
def server_streaming(client):
    replies = client.stub.LotsOfReplies(greeting("you"), timeout=BOUND)
    expected = [f"{salute}, you!" for salute in ("Hello", "Bonjour", "Hallo", "Hola", "Ciao")]
    equal("the stream", [response.reply for response in replies], expected)


@case("client streaming", kind=True)
def client_streaming(client):
    requests = (greeting(name) for name in ("Ada", "Grace", "Barbara"))
    response = client.stub.LotsOfGreetings(requests, timeout=BOUND)
    equal("the reply", response.reply, "Hello, Ada, Grace, Barbara!")


@case("bidi streaming", kind=True)
def bidi_streaming(client):
    """Each reply is awaited before the next greeting goes out."""
    requests = Requests()
    replies = client.stub.BidiHello(iter(requests), timeout=BOUND)
    for n in range(50):
        requests.send(str(n))
        equal("the reply", next(replies).reply, f"Hello, {n}!")
    requests.finish()
    equal("what follows the last reply", next(replies, None), None)


@case("bidi, server ends first")
def bidi_server_ends_first(client):
    requests = Requests()
    metadata = (("x-do", "enough"),)
    replies = client.stub.BidiHello(iter(requests), metadata=metadata, timeout=BOUND)
    requests.send("you")
    equal("the reply", next(replies).reply, "Hello, you!")
    equal("what follows the reply", next(replies, None), None)
    equal("the code", replies.code(), grpc.StatusCode.OK)
    requests.finish()


@case("empty messages")
def empty_messages(client):
    """An empty greeting is a message of no bytes at all."""
    equal("the reply", client.hello(""), "Hello, !")
    equal("the empty reply", client.hello("0", (("x-do", "size"),)), "")
    response = client.stub.LotsOfGreetings(iter(()), timeout=BOUND)
    equal("the reply to no greetings", response.reply, "Hello, !")


@case("500 calls at once", kind=True)
def calls_at_once(client):
    """More than a server takes at once on one connection, as a rule."""
    say = client.stub.SayHello.future
    calls = [say(greeting(str(n)), timeout=BOUND) for n in range(500)]
    for n, call in enumerate(calls):
        equal("the reply", call.result().reply, f"Hello, {n}!")


def echoed(metadata, key, expected):
    equal(key, values(metadata, key), expected)


@case("metadata, ASCII")
def metadata_ascii(client):
    expected = ["one", 'two, and a half; "quoted" ~!', "three"]
    metadata = [("x-echo", value) for value in expected]
    _, call = client.stub.SayHello.with_call(greeting("you"), metadata=metadata, timeout=BOUND)
    echoed(call.initial_metadata(), "x-echo-initial", expected)
    echoed(call.trailing_metadata(), "x-echo-trailing", expected)


@case("metadata, binary")
def metadata_binary(client):
    expected = [bytes(range(256)), b"\xab", b"\x00\xff"]
    metadata = [("x-echo-bin", value) for value in expected]
    _, call = client.stub.SayHello.with_call(greeting("you"), metadata=metadata, timeout=BOUND)
    echoed(call.initial_metadata(), "x-echo-initial-bin", expected)
    echoed(call.trailing_metadata(), "x-echo-trailing-bin", expected)


@case("metadata, all kinds")
def metadata_all_kinds(client):
    metadata = (("x-echo", "server"),)
    replies = client.stub.LotsOfReplies(greeting("you"), metadata=metadata, timeout=BOUND)
    echoed(replies.initial_metadata(), "x-echo-initial", ["server"])
    for _ in replies:
        pass
    echoed(replies.trailing_metadata(), "x-echo-trailing", ["server"])

    metadata = (("x-echo", "client"),)
    requests = iter([greeting("you")])
    greet = client.stub.LotsOfGreetings.with_call
    _, call = greet(requests, metadata=metadata, timeout=BOUND)
    echoed(call.initial_metadata(), "x-echo-initial", ["client"])
    echoed(call.trailing_metadata(), "x-echo-trailing", ["client"])

    metadata = (("x-echo", "bidi"),)
    requests = Requests()
    replies = client.stub.BidiHello(iter(requests), metadata=metadata, timeout=BOUND)
    requests.send("you")
    echoed(replies.initial_metadata(), "x-echo-initial", ["bidi"])
    requests.finish()
    for _ in replies:
        pass
    echoed(replies.trailing_metadata(), "x-echo-trailing", ["bidi"])


@case("metadata with an error")
def metadata_with_an_error(client):
    metadata = (
        ("x-do", "fail"),
        ("x-code", "9"),
        ("x-echo", "still here"),
        ("x-echo-bin", b"\x01\x02\x03"),
    )
    error = failed(lambda: client.hello("no", metadata), grpc.StatusCode.FAILED_PRECONDITION)
    echoed(error.trailing_metadata(), "x-echo-trailing", ["still here"])
    echoed(error.trailing_metadata(), "x-echo-trailing-bin", [b"\x01\x02\x03"])


@case("deadline, unary")
def deadline_unary(client):
    name = client.id()
    metadata = (("x-do", "wait"), ("x-id", name))
    began = time.monotonic()
    failed(lambda: client.hello("you", metadata, TIMEOUT), grpc.StatusCode.DEADLINE_EXCEEDED)
    # C core's timers tick in milliseconds.
    equal("whether it came too early", time.monotonic() - began < TIMEOUT - 0.01, False)
    client.saw_cancelled(name)


@case("deadline, mid-stream")
def deadline_mid_stream(client):
    name = client.id()
    metadata = (("x-do", "wait"), ("x-id", name))
    replies = client.stub.LotsOfReplies(greeting("you"), metadata=metadata, timeout=TIMEOUT)
    equal("the first reply", next(replies).reply, "Hello, you!")
    failed(lambda: next(replies), grpc.StatusCode.DEADLINE_EXCEEDED)
    client.saw_cancelled(name)


@case("deadline, as the server sees it")
def deadline_as_the_server_sees_it(client):
    remaining = int(client.hello("you", (("x-do", "remaining"),), 60))
    # C core rounds timeouts up, by a hundredth at most.
    near = 40_000 <= remaining <= 60_600
    equal(f"whether {remaining} ms of 60 s are left", near, True)
    left = client.hello("you", (("x-do", "remaining"),), None)
    equal("the time left without a deadline", left, "none")


@case("cancel by client, unary")
def cancel_by_client_unary(client):
    name = client.id()
    metadata = (("x-do", "wait"), ("x-id", name))
    call = client.stub.SayHello.future(greeting("you"), metadata=metadata, timeout=BOUND)
    client.started(name)
    call.cancel()
    equal("the code", call.code(), grpc.StatusCode.CANCELLED)
    client.saw_cancelled(name)


@case("cancel by client, server stream")
def cancel_by_client_server_stream(client):
    name = client.id()
    metadata = (("x-do", "wait"), ("x-id", name))
    replies = client.stub.LotsOfReplies(greeting("you"), metadata=metadata, timeout=BOUND)
    equal("the first reply", next(replies).reply, "Hello, you!")
    replies.cancel()
    failed(lambda: next(replies), grpc.StatusCode.CANCELLED)
    client.saw_cancelled(name)


@case("cancel by client, client stream")
def cancel_by_client_client_stream(client):
    """Breaking off is not finishing: the server must not see the end of a stream."""
    name = client.id()
    requests = Requests()
    greet = client.stub.LotsOfGreetings.future
    call = greet(iter(requests), metadata=(("x-id", name),), timeout=BOUND)
    requests.send("you")
    client.started(name)
    call.cancel()
    equal("the code", call.code(), grpc.StatusCode.CANCELLED)
    client.saw_cancelled(name)
    requests.finish()


@case("cancel by client, bidi")
def cancel_by_client_bidi(client):
    name = client.id()
    requests = Requests()
    metadata = (("x-id", name),)
    replies = client.stub.BidiHello(iter(requests), metadata=metadata, timeout=BOUND)
    requests.send("you")
    equal("the first reply", next(replies).reply, "Hello, you!")
    replies.cancel()
    failed(lambda: next(replies), grpc.StatusCode.CANCELLED)
    client.saw_cancelled(name)
    requests.finish()


@case("cancel by server, unary")
def cancel_by_server_unary(client):
    failed(lambda: client.hello("you", (("x-do", "cancel"),)), grpc.StatusCode.CANCELLED)


@case("cancel by server, mid-stream")
def cancel_by_server_mid_stream(client):
    metadata = (("x-do", "cancel"),)
    replies = client.stub.LotsOfReplies(greeting("you"), metadata=metadata, timeout=BOUND)
    received = []
    failed(lambda: received.extend(replies), grpc.StatusCode.CANCELLED)
    equal("whether more than one reply came", len(received) > 1, False)


@case("error, every code")
def error_every_code(client):
    for number in range(1, 17):
        metadata = (("x-do", "fail"), ("x-code", str(number)))
        error = failed(lambda: client.hello("no", metadata), CODES[number])
        equal("the message", error.details(), "no")
        echoed(error.trailing_metadata(), "grpc-status-details-bin", [])


@case("error, message and details")
def error_message_and_details(client):
    details = bytes(reversed(range(256)))
    metadata = (("x-do", "fail"), ("x-code", "7"), ("x-details-bin", details))
    error = failed(lambda: client.hello(MESSAGE, metadata), grpc.StatusCode.PERMISSION_DENIED)
    equal("the message", error.details(), MESSAGE)
    echoed(error.trailing_metadata(), "grpc-status-details-bin", [details])


@case("error, typed details")
def error_typed_details(client):
    call = lambda: client.hello(MESSAGE, (("x-do", "details"),))
    error = failed(call, grpc.StatusCode.INVALID_ARGUMENT)
    equal("the message", error.details(), MESSAGE)
    # It fails unless code and message are the same within.
    status = rpc_status.from_call(error)
    info, request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    unpacked = [status.details[0].Unpack(info), status.details[1].Unpack(request)]
    equal("what the details are", (unpacked, len(status.details)), ([True, True], 2))
    found = (info.reason, info.domain, dict(info.metadata))
    equal("the cause", found, ("TOO_TERSE", "hello.example", {"least": "1"}))
    found = [(violation.field, violation.description) for violation in request.field_violations]
    equal("the fields", found, [("greeting", "whom shall I greet? ☺")])


@case("error, mid-stream")
def error_mid_stream(client):
    metadata = (("x-do", "fail"), ("x-code", "15"))
    replies = client.stub.LotsOfReplies(greeting(MESSAGE), metadata=metadata, timeout=BOUND)
    equal("the first reply", next(replies).reply, f"Hello, {MESSAGE}!")
    error = failed(lambda: next(replies), grpc.StatusCode.DATA_LOSS)
    equal("the message", error.details(), MESSAGE)


def seen(stub, credentials=None):
    """What the server sees as `authorization`."""
    metadata = (("x-do", "authorization"),)
    call = stub.SayHello(greeting(""), metadata=metadata, credentials=credentials, timeout=BOUND)
    return call.reply


@case("call credentials, of a call")
def call_credentials_of_a_call(client):
    token = grpc.access_token_call_credentials(TOKEN)
    if client.encrypted:
        equal("what the server saw", seen(client.stub, token), f"Bearer {TOKEN}")
    else:
        failed(lambda: seen(client.stub, token), grpc.StatusCode.UNAUTHENTICATED)
    equal("what the next call sent", seen(client.stub), "")


@case("call credentials, of a channel")
def call_credentials_of_a_channel(client):
    with client.connect(grpc.access_token_call_credentials(TOKEN)) as channel:
        stub = hello_pb2_grpc.HelloServiceStub(channel)
        for _ in range(2):
            equal("what the server saw", seen(stub), f"Bearer {TOKEN}")


def missing(client, path):
    call = client.channel.unary_unary(
        path,
        request_serializer=hello_pb2.HelloRequest.SerializeToString,
        response_deserializer=hello_pb2.HelloResponse.FromString,
    )
    failed(lambda: call(greeting("you"), timeout=BOUND), grpc.StatusCode.UNIMPLEMENTED)


@case("unimplemented method", kind=True)
def unimplemented_method(client):
    missing(client, "/example.HelloService/Missing")
    # The connection is none the worse for it.
    equal("the reply", client.hello("you"), "Hello, you!")


@case("unimplemented service", kind=True)
def unimplemented_service(client):
    missing(client, "/example.MissingService/SayHello")


@case("2 MiB, unary", kind=True)
def size_unary(client):
    name = "n" * LARGE
    equal("whether the reply is intact", client.hello(name) == f"Hello, {name}!", True)


@case("2 MiB, streamed both ways")
def size_streamed(client):
    requests = (greeting("n" * (LARGE // 4)) for _ in range(4))
    response = client.stub.LotsOfGreetings(requests, timeout=BOUND)
    equal("the reply's length", len(response.reply), LARGE + len("Hello, , , , !"))
    metadata = (("x-do", "size"),)
    replies = client.stub.LotsOfReplies(greeting(str(LARGE)), metadata=metadata, timeout=BOUND)
    equal("the lengths", [len(response.reply) for response in replies], [LARGE] * 4)


@case("request over the limit", kind=True)
def request_over_the_limit(client):
    failed(lambda: client.hello("n" * TOO_LARGE), grpc.StatusCode.RESOURCE_EXHAUSTED)
    equal("the next call's reply", client.hello("you"), "Hello, you!")


@case("reply over the limit")
def reply_over_the_limit(client):
    metadata = (("x-do", "size"),)
    call = lambda: client.hello(str(TOO_LARGE), metadata)
    failed(call, grpc.StatusCode.RESOURCE_EXHAUSTED)
    equal("the next call's reply", client.hello("you"), "Hello, you!")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("--kinds", action="store_true")
    parser.add_argument("--use_tls", default="false")
    parser.add_argument("--ca_file")
    parser.add_argument("--server_host_override")
    flags = parser.parse_args()
    client = Client(flags)
    failures = 0
    for name, function in CASES:
        if flags.kinds and name not in KINDS:
            continue
        try:
            function(client)
            print(f"pass {name}", flush=True)
        except Exception as error:
            failures += 1
            reason = f"{type(error).__name__}: {error}".replace("\n", " ")
            print(f"FAIL {name}: {reason}", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
