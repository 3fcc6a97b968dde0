"""The example production_server as its operators meet it: 25 checks by grpcurl, buf curl
and grpcio's clients of health, reflection and channelz, over plain text and over TLS.

production.py SERVER CERTIFICATES

SERVER and CERTIFICATES are programs, production_server and test_certificates. While the
checks run, a client makes a call on one new connection after the other; over TLS, the
server's certificate is renewed meanwhile. The last checks tell the server to end. The last
line says how many passed. Ends with 1 unless all did.
"""

import concurrent.futures
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True

from checks import (
    BOUND,
    HEALTH,
    NOT_SERVING,
    SERVICE_UNKNOWN,
    SERVING,
    Server,
    equal,
    passes,
    ran,
    refused,
)

import grpc
import process
from grpc_channelz.v1 import channelz_pb2, channelz_pb2_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2

HELLO = "example.HelloService"
PATH = f"{HELLO}/SayHello"
REFLECTION = "grpc.reflection.v1.ServerReflection"
SERVICES = [HELLO, HEALTH, REFLECTION, "grpc.reflection.v1alpha.ServerReflection"]
EXPORT = "opentelemetry.proto.collector.metrics.v1.MetricsService"
# What the server takes of a message unless it is told otherwise, in bytes.
MESSAGE_LIMIT = 4 << 20
# The notice before calls are drained, and what the server's end may take beyond it, in seconds.
NOTICE, END = 5, 10
# Within what time the server takes new certificates, in seconds; twice its interval.
RENEWAL = 60

CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


def await_true(what, holds, bound=BOUND):
    until = time.monotonic() + bound
    while not (found := holds()):
        assert time.monotonic() < until, f"{what}: not within {bound} s"
        time.sleep(0.02)
    return found


class Production(Server):
    """The server, its probes' address, and what it was given and has written."""

    def __init__(self, running, address, ca, collector, log):
        super().__init__(address, ca)
        self.running = running
        probes = running.stdout.readline().removeprefix("probes on ")
        self.probe = f"localhost:{json.loads(probes)[0].rsplit(':', 1)[1]}"
        self.probe_channel = grpc.insecure_channel(self.probe)
        self.channelz = channelz_pb2_grpc.ChannelzStub(self.probe_channel)
        self.collector = collector
        self.log = log

    @contextlib.contextmanager
    def fresh(self, *options):
        """A channel with a connection of its own."""
        options = [("grpc.use_local_subchannel_pool", 1), *options]
        if self.ca:
            credentials = grpc.ssl_channel_credentials(self.ca.read_bytes())
            channel = grpc.secure_channel(self.address, credentials, options)
        else:
            channel = grpc.insecure_channel(self.address, options)
        with channel:
            yield channel

    def hello(self, greeting, channel=None, path=PATH, **options):
        call = (channel or self.channel).unary_unary(
            f"/{path}", **self.coding("example.HelloResponse")
        )
        request = self.message("example.HelloRequest")(greeting=greeting)
        return call(request, timeout=BOUND, **options).reply

    def hold(self, greeting, **options):
        """A call that runs, and what sends its message: without it the method waits."""
        go_on = threading.Event()

        def requests():
            go_on.wait(BOUND)
            yield self.message("example.HelloRequest")(greeting=greeting)

        call = self.channel.stream_unary(f"/{PATH}", **self.coding("example.HelloResponse"))
        return call.future(requests(), **options), go_on

    def logged(self, *parts):
        """Waits for a line of the access log that has all of these."""

        def found():
            lines = self.log.read_text().splitlines()
            return [line for line in lines if all(part in line for part in parts)]

        return await_true(f"a line of the log with {parts}", found)[-1]


class Arrivals:
    """A client that makes a call on one new connection after the other, and over TLS
    another handshake with each, of which it has the certificate that it was shown."""

    def __init__(self, server):
        self.server = server
        self.calls = 0
        self.shown = []
        self.failures = []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.over.wait(0.05):
            try:
                with self.server.fresh() as channel:
                    equal(self.server.hello("new", channel), "Hello, new!")
                if self.server.ca:
                    port = int(self.server.address.rsplit(":", 1)[1])
                    shown = ssl.get_server_certificate(
                        ("localhost", port), ca_certs=self.server.ca, timeout=BOUND
                    )
                    self.shown.append(shown.split())
                self.calls += 1
            except Exception as failure:
                self.failures.append(repr(failure))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


class Collector:
    """A collector of metrics, by OTLP, which keeps what it is sent as it came."""

    def __init__(self):
        self.requests = []
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(1))
        export = grpc.unary_unary_rpc_method_handler(self.export)
        handler = grpc.method_handlers_generic_handler(EXPORT, {"Export": export})
        self.server.add_generic_rpc_handlers([handler])
        self.address = f"127.0.0.1:{self.server.add_insecure_port('127.0.0.1:0')}"
        self.server.start()

    def export(self, request, _context):
        self.requests.append(request)
        # An answer without fields: all was taken.
        return b""


# --- grpcurl 1.8.6, which knows v1alpha -------------------------------------------------


@check
def grpcurl_lists(server):
    equal(server.grpcurl("list").split(), SERVICES)
    methods = ["BidiHello", "LotsOfGreetings", "LotsOfReplies", "SayHello"]
    found = server.grpcurl("list", HELLO).split()
    equal(sorted(found), [f"{HELLO}.{name}" for name in methods])


@check
def grpcurl_describes(server):
    described = server.grpcurl("describe")
    for service in SERVICES:
        assert f"{service} is a service" in described, described
    assert "string greeting = 1;" in server.grpcurl("describe", "example.HelloRequest")


@check
def grpcurl_calls_with_metadata(server):
    headers = ["-v", "-H", "x-id: 7", "-H", "x-trace-bin: AQID"]
    told = server.grpcurl(PATH, data={"greeting": "Ada"}, options=headers)
    assert '"reply": "Hello, Ada!"' in told, told
    assert "content-type: application/grpc" in told, told
    assert "Sent 1 request and received 1 response" in told, told


@check
def grpcurl_shows_errors(server):
    told = server.grpcurl(f"{HELLO}/LotsOfReplies", data={}, fails=True)
    assert "Unimplemented" in told, told
    told = server.grpcurl(f"{HELLO}/None", data={}, fails=True)
    assert "does not include a method named" in told, told
    told = server.grpcurl("none.Such/Call", data={}, fails=True)
    assert "does not expose service" in told, told
    told = server.grpcurl(PATH, options=["-d", '{"greeting":'], fails=True)
    assert "unexpected EOF" in told, told


# --- buf curl, which knows both versions of reflection ----------------------------------


@check
def buf_lists(server):
    equal(server.buf("", "--list-services").split(), SERVICES)
    found = server.buf("", "--list-methods").split()
    assert PATH in found, found


@check
def buf_calls_by_either_version(server):
    for version in ("grpc-v1", "grpc-v1alpha"):
        flags = ["--reflect-protocol", version, "--header", "x-id: 7"]
        told = server.buf(f"/{PATH}", *flags, data={"greeting": "Ada"})
        equal(json.loads(told), {"reply": "Hello, Ada!"})


@check
def buf_shows_errors(server):
    told = server.buf(f"/{HELLO}/LotsOfReplies", data={}, fails=True)
    equal(json.loads(told)["code"], "unimplemented")
    told = server.buf(f"/{HELLO}/None", data={}, fails=True)
    assert "None" in told, told
    told = server.buf("/none.Such/Call", data={}, fails=True)
    assert "none.Such" in told, told
    told = server.buf(f"/{PATH}", "--data", '{"greeting":', fails=True)
    assert "greeting" in told or "JSON" in told or "EOF" in told, told


# --- grpcio -------------------------------------------------------------------------------


@check
def reflection_makes_a_call_possible(server):
    equal(list(server.database.get_services()), SERVICES)
    service = server.pool.FindServiceByName(HELLO)
    equal(service.methods[0].name, "SayHello")
    equal(server.hello("Ada"), "Hello, Ada!")


@check
def reflection_says_the_same_by_either_version(server):
    said = []
    for version in ("v1", "v1alpha"):
        # The messages of both are the same on the wire.
        path = f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo"
        ask = server.channel.stream_stream(
            path,
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )
        asked = [
            reflection_pb2.ServerReflectionRequest(list_services=""),
            reflection_pb2.ServerReflectionRequest(file_containing_symbol=HELLO),
            reflection_pb2.ServerReflectionRequest(file_containing_symbol="none.Such"),
        ]
        said.append(list(ask(iter(asked), timeout=BOUND)))
    equal(*said)
    listed, file, missed = said[0]
    equal([it.name for it in listed.list_services_response.service], SERVICES)
    equal(len(file.file_descriptor_response.file_descriptor_proto), 1)
    equal(missed.error_response.error_code, grpc.StatusCode.NOT_FOUND.value[0])


@check
def what_is_not_there_is_unimplemented(server):
    for path in (f"{HELLO}/LotsOfReplies", f"{HELLO}/None", "none.Such/Call", "none"):
        refused(grpc.StatusCode.UNIMPLEMENTED, lambda path=path: server.hello("Ada", path=path))


@check
def a_broken_message_is_told_to_its_caller(server):
    call = server.channel.unary_unary(f"/{PATH}")
    # A string of 127 bytes, of which none is there.
    refused(grpc.StatusCode.INTERNAL, lambda: call(b"\x0a\x7f", timeout=BOUND))
    equal(server.hello("Ada"), "Hello, Ada!")


@check
def deadlines_end_calls(server):
    told = server.grpcurl(f"{HEALTH}/Watch", options=["-max-time", "1"], fails=True)
    assert '"status": "SERVING"' in told and "DeadlineExceeded" in told, told
    call, go_on = server.hold("late", timeout=0.3)
    refused(grpc.StatusCode.DEADLINE_EXCEEDED, call.result)
    go_on.set()


@check
def a_message_above_4_mib_is_refused(server):
    with server.fresh(("grpc.max_receive_message_length", -1)) as channel:
        # The field's tag and length take five bytes.
        most = "x" * (MESSAGE_LIMIT - 5)
        equal(len(server.hello(most, channel)), len(most) + len("Hello, !"))
        call = lambda: server.hello(most + "x", channel)
        refused(grpc.StatusCode.RESOURCE_EXHAUSTED, call)
        # The connection goes on.
        equal(server.hello("Ada", channel), "Hello, Ada!")
    server.logged("code=RESOURCE_EXHAUSTED", PATH)


@check
def metadata_above_its_limit_is_refused(server):
    with server.fresh() as channel:
        call = lambda: server.hello("Ada", channel, metadata=[("x-long", "x" * 20_000)])
        refused(grpc.StatusCode.RESOURCE_EXHAUSTED, call)
        metadata = [("x-id", "7"), ("x-trace-bin", bytes(range(256)))]
        equal(server.hello("Ada", channel, metadata=metadata), "Hello, Ada!")


@check
def health_is_told(server):
    equal(server.status(), SERVING)
    refused(grpc.StatusCode.NOT_FOUND, lambda: server.status("none.Such"))
    equal(server.statuses()[""], SERVING)
    for service, status in (("", SERVING), ("none.Such", SERVICE_UNKNOWN)):
        watch = server.watch(service)
        equal(next(watch).status, status)
        watch.cancel()


# --- the probes' address ---------------------------------------------------------------


@check
def probes_have_health_without_encryption_and_nothing_else(server):
    health = health_pb2_grpc.HealthStub(server.probe_channel)
    request = health_pb2.HealthCheckRequest()
    equal(health.Check(request, timeout=BOUND).status, SERVING)
    equal(next(health.Watch(request, timeout=BOUND)).status, SERVING)

    for path in (PATH, f"{REFLECTION}/ServerReflectionInfo"):
        call = lambda path=path: server.hello("Ada", server.probe_channel, path=path)
        refused(grpc.StatusCode.UNIMPLEMENTED, call)
    # Nor does the other address have what is for those who look after the machine.
    path = "grpc.channelz.v1.Channelz/GetServers"
    refused(grpc.StatusCode.UNIMPLEMENTED, lambda: server.hello("", path=path))


@check
def channelz_has_the_server(server):
    request = channelz_pb2.GetServersRequest()
    (first,) = server.channelz.GetServers(request, timeout=BOUND).server
    (listener,) = first.listen_socket
    told = server.channelz.GetSocket(
        channelz_pb2.GetSocketRequest(socket_id=listener.socket_id), timeout=BOUND
    )
    port = told.socket.local.tcpip_address.port
    equal(f"localhost:{port}", server.address)
    server.hello("Ada")
    (now,) = server.channelz.GetServers(request, timeout=BOUND).server
    equal(now.ref.server_id, first.ref.server_id)
    assert now.data.calls_started > first.data.calls_started > 0, (first, now)


@check
def channelz_counts_what_a_connection_had(server):
    (found,) = server.channelz.GetServers(channelz_pb2.GetServersRequest()).server
    number = 17
    with server.fresh() as channel:
        for _ in range(number):
            server.hello("Ada", channel)
        asked = channelz_pb2.GetServerSocketsRequest(server_id=found.ref.server_id)
        sockets = []
        for ref in server.channelz.GetServerSockets(asked, timeout=BOUND).socket_ref:
            one = channelz_pb2.GetSocketRequest(socket_id=ref.socket_id)
            # Others come and go meanwhile.
            with contextlib.suppress(grpc.RpcError):
                sockets.append(server.channelz.GetSocket(one, timeout=BOUND).socket)
    (ours,) = [it for it in sockets if it.data.streams_started == number]
    data = ours.data
    counts = (data.streams_succeeded, data.messages_received, data.messages_sent)
    equal(counts, (number, number, number))
    equal(ours.HasField("security"), server.ca is not None)


# --- what its operators see and do -----------------------------------------------------


@check
def calls_are_logged(server):
    server.hello("Ada")
    line = server.logged("code=OK", f"method=/{PATH}")
    stamp = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z server peer=\S+:\d+ "
    counts = r" elapsed=\S+ms received=1/\d+ sent=1/\d+"
    assert re.match(stamp, line) and re.search(counts, line), line
    refused(grpc.StatusCode.UNIMPLEMENTED, lambda: server.hello("Ada", path="none.Such/Call"))
    server.logged("method=/none.Such/Call", "code=UNIMPLEMENTED", "refused")


@check
def the_other_security_is_refused(server):
    if server.ca:
        plain = grpc.insecure_channel(server.address)
        # A client that does not know the authority is not reached either.
        system = ["grpcurl", "-connect-timeout", "5", server.address, "list"]
        assert "certificate" in ran(system, fails=True)
        wrong = plain
    else:
        wrong = grpc.secure_channel(server.address, grpc.ssl_channel_credentials())
    with wrong:
        refused(grpc.StatusCode.UNAVAILABLE, lambda: server.hello("Ada", wrong))
    equal(server.hello("Ada"), "Hello, Ada!")


@check
def mistakes_in_options_are_told(server):
    binary = server.running.args[0]
    for options, told in {
        ("--listen", "localhost:0"): "say --plaintext, or --certificate FILE and --key FILE",
        ("--listen", "localhost:0", "--certificate", "c.pem"): "--key FILE",
        ("--plaintext",): "say --listen ADDRESS",
        ("--plaintext", "--listen"): "--listen needs a value",
        ("--plain",): "'--plain' is not known here",
        ("--plaintext", "--listen", server.address): "in use",
        ("--listen", "localhost:0", "--certificate", "c.pem", "--key", "k.pem"): "c.pem",
    }.items():
        printed, code = process.run([binary, *options], BOUND)
        assert code == 1 and told in printed, f"{options}: {code}, {printed}"


@check
def new_connections_are_served_all_along(server):
    arrivals = server.arrivals
    if server.ca:
        renewed = (server.ca.parent / "renewed/server.pem").read_text().split()
        shown = lambda: arrivals.shown[-1] == renewed or arrivals.failures
        await_true("the renewed certificate", shown, RENEWAL)
        assert arrivals.shown[0] != renewed, "there was never another"
    equal(arrivals.failures, [])
    assert arrivals.calls > 20, arrivals.calls


# --- its end, which these have in common ----------------------------------------------------


@check
def sigterm_is_told_while_calls_are_served(server):
    server.arrivals.over.set()
    server.arrivals.thread.join()
    server.held, server.go_on = server.hold("held", timeout=BOUND)
    request = health_pb2.HealthCheckRequest()
    probe = health_pb2_grpc.HealthStub(server.probe_channel)
    watches = [server.watch(""), probe.Watch(request, timeout=BOUND)]
    equal([next(watch).status for watch in watches], [SERVING, SERVING])
    server.told_at = time.monotonic()
    server.running.send_signal(signal.SIGTERM)
    equal([next(watch).status for watch in watches], [NOT_SERVING, NOT_SERVING])
    equal(probe.Check(request, timeout=BOUND).status, NOT_SERVING)
    with server.fresh() as channel:
        equal(server.hello("Ada", channel), "Hello, Ada!")
    took = time.monotonic() - server.told_at
    assert took < NOTICE, f"the notice was over, after {took:.1f} s"


@check
def running_calls_finish_and_it_ends_well(server):
    def is_closed():
        try:
            with server.fresh() as channel:
                server.hello("Ada", channel)
        except grpc.RpcError as error:
            return error.code() == grpc.StatusCode.UNAVAILABLE

    await_true("the end of the notice", is_closed, NOTICE + END)
    took = time.monotonic() - server.told_at
    assert took > NOTICE - 1, f"after {took:.1f} s it was over"
    assert server.running.poll() is None, "it did not wait for a call that runs"
    server.go_on.set()
    equal(server.held.result(BOUND).reply, "Hello, held!")
    try:
        equal(server.running.wait(END), 0)
    except subprocess.TimeoutExpired:
        raise AssertionError(f"it did not end within {END} s") from None
    equal(server.running.stdout.read(), "0 calls cut\n")


@check
def a_collector_has_its_metrics(server):
    # The last one, of the server's end, has the sums of all calls.
    sent = server.collector.requests[-1]
    for name in ("grpc.server.call.started", "grpc.server.call.duration", PATH, "UNIMPLEMENTED"):
        assert name.encode() in sent, f"{name} is not in {sent!r}"


def renew(folder, arrivals):
    """Has the server's files replaced once a client has seen those before."""
    await_true("a first handshake", lambda: arrivals.shown)
    for name in ("server.pem", "server.key"):
        # Whole files at once: nobody reads a half of one.
        copy = folder / f"{name}.new"
        shutil.copy(folder / "renewed" / name, copy)
        os.replace(copy, folder / name)


def checked(security, binary, flags, ca, folder):
    """Of each check whether it passes."""
    collector, log = Collector(), folder / f"{security}.log"
    command = [binary, "--listen", "localhost:0", "--probe", "localhost:0", *flags]
    command += ["--otlp", collector.address]
    with (
        log.open("w") as errors,
        process.listening(command, stderr=errors) as (running, address),
    ):
        server = Production(running, address, ca, collector, log)
        with Arrivals(server) as server.arrivals:
            if ca:
                renew(folder, server.arrivals)
            done = [passes(function, server, security) for function in CHECKS]
        server.channel.close()
        server.probe_channel.close()
    collector.server.stop(None)
    if not all(done):
        print(f"what the server wrote last:\n{log.read_text()[-2000:]}")
    return done


def main():
    binary, certificates = sys.argv[1:]
    process.end_with_us()
    equal(len(CHECKS), 25)
    done = []
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        process.must([certificates, folder, "localhost"])
        files = ["--certificate", folder / "server.pem", "--key", folder / "server.key"]
        for security, flags, ca in [
            ("plain", ["--plaintext"], None),
            ("TLS", files, folder / "ca.pem"),
        ]:
            began = time.monotonic()
            done += checked(security, binary, flags, ca, folder)
            print(f"{security}: {time.monotonic() - began:.0f} s", flush=True)
    print(f"production_server: {sum(done)} passed, {len(done) - sum(done)} failed")
    return 0 if all(done) else 1


if __name__ == "__main__":
    sys.exit(main())
