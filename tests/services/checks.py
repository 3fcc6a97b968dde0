"""A server with the services of grpc-services, asked by the clients of others: grpcio's
own of health and reflection, grpcurl and buf curl.

checks.py SERVER CERTIFICATES

SERVER and CERTIFICATES are programs, services_server and test_certificates. Each check is
told, over plain text and over TLS; the last line says how many passed. Ends with 1 unless
all did.
"""

import json
import pathlib
import sys
import tempfile
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "interop"))
sys.dont_write_bytecode = True

import grpc
import process
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

# What a call or a program may take, in seconds.
BOUND = 30

HEALTH = "grpc.health.v1.Health"
LOAD = "xds.service.orca.v3.OpenRcaService"
SERVICES = [
    "catalogue.Catalogue",
    HEALTH,
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
    LOAD,
]
SERVING, NOT_SERVING, SERVICE_UNKNOWN = 1, 2, 3
SET, CLEAR, SHUT_DOWN, RESUME = range(4)

CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


def equal(found, expected):
    assert found == expected, f"{found!r} is not {expected!r}"


class Server:
    """The server, and how each client reaches it."""

    def __init__(self, address, ca):
        self.address = f"localhost:{address.rsplit(':', 1)[1]}"
        self.ca = ca
        if ca:
            credentials = grpc.ssl_channel_credentials(ca.read_bytes())
            self.channel = grpc.secure_channel(self.address, credentials)
        else:
            self.channel = grpc.insecure_channel(self.address)
        self.health = health_pb2_grpc.HealthStub(self.channel)
        self.database = ProtoReflectionDescriptorDatabase(self.channel)
        self.pool = descriptor_pool.DescriptorPool(self.database)

    def message(self, name):
        return message_factory.GetMessageClass(self.pool.FindMessageTypeByName(name))

    def order(self, kind, service="", status=SERVING):
        """Has the server say something of its health."""
        order = self.message("catalogue.HealthOrder")(kind=kind, service=service, status=status)
        self.call("OrderHealth", order, "catalogue.HealthDone")

    def call(self, method, request, answer):
        call = self.channel.unary_unary(
            f"/catalogue.Catalogue/{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=self.message(answer).FromString,
        )
        return call(request, timeout=BOUND)

    def status(self, service=""):
        request = health_pb2.HealthCheckRequest(service=service)
        return self.health.Check(request, timeout=BOUND).status

    def watch(self, service):
        request = health_pb2.HealthCheckRequest(service=service)
        return self.health.Watch(request, timeout=BOUND)

    def statuses(self):
        call = self.channel.unary_unary(
            f"/{HEALTH}/List",
            request_serializer=health_pb2.HealthListRequest.SerializeToString,
            response_deserializer=health_pb2.HealthListResponse.FromString,
        )
        answer = call(health_pb2.HealthListRequest(), timeout=BOUND)
        return {name: told.status for name, told in answer.statuses.items()}

    def grpcurl(self, *arguments, data=None, fails=False, options=()):
        security = ["-cacert", self.ca] if self.ca else ["-plaintext"]
        data = ["-d", json.dumps(data)] if data is not None else []
        return ran(["grpcurl", *security, *data, *options, self.address, *arguments], fails)

    def buf(self, path, *arguments, data=None, fails=False):
        security = ["--cacert", self.ca] if self.ca else []
        scheme = "https" if self.ca else "http"
        data = ["--data", json.dumps(data)] if data is not None else []
        url = f"{scheme}://{self.address}{path}"
        return ran(["buf", "curl", "--protocol", "grpc", *security, *arguments, *data, url], fails)


def ran(command, fails):
    """What a program beside this one's Python prints."""
    program = pathlib.Path(sys.executable).parent / command[0]
    printed, code = process.run([program, *command[1:]], BOUND)
    assert (code != 0) == fails, f"{command[0]} ended with {code}: {printed}"
    return printed


def refused(code, call):
    try:
        told = call()
    except grpc.RpcError as error:
        equal(error.code(), code)
    else:
        raise AssertionError(f"no error: {told}")


# --- health, by grpcio-health-checking ---------------------------------------------


@check
def health_of_the_server(server):
    equal(server.status(), SERVING)


@check
def health_of_an_unknown_service(server):
    refused(grpc.StatusCode.NOT_FOUND, lambda: server.status("none.Such"))


@check
def health_watched_from_the_start(server):
    server.order(SET, "a.Service", NOT_SERVING)
    watch = server.watch("a.Service")
    equal(next(watch).status, NOT_SERVING)
    server.order(SET, "a.Service", SERVING)
    equal(next(watch).status, SERVING)
    equal(server.status("a.Service"), SERVING)
    watch.cancel()


@check
def health_watched_while_unknown(server):
    watch = server.watch("b.Service")
    equal(next(watch).status, SERVICE_UNKNOWN)
    server.order(SET, "b.Service", SERVING)
    equal(next(watch).status, SERVING)
    server.order(CLEAR, "b.Service")
    equal(next(watch).status, SERVICE_UNKNOWN)
    server.order(SET, "b.Service", NOT_SERVING)
    equal(next(watch).status, NOT_SERVING)
    watch.cancel()


@check
def health_listed(server):
    server.order(SET, "c.Service", NOT_SERVING)
    statuses = server.statuses()
    equal((statuses[""], statuses["c.Service"]), (SERVING, NOT_SERVING))


@check
def health_of_too_many_to_list(server):
    names = [f"many.Service{n}" for n in range(101)]
    for name in names:
        server.order(SET, name)
    refused(grpc.StatusCode.RESOURCE_EXHAUSTED, server.statuses)
    for name in names:
        server.order(CLEAR, name)
    server.statuses()


@check
def health_shut_down_and_resumed(server):
    server.order(SET, "d.Service", SERVING)
    watch = server.watch("d.Service")
    equal(next(watch).status, SERVING)
    server.order(SHUT_DOWN)
    equal(next(watch).status, NOT_SERVING)
    server.order(SET, "d.Service", SERVING)
    equal((server.status(), server.status("d.Service")), (NOT_SERVING, NOT_SERVING))
    server.order(RESUME)
    equal(next(watch).status, SERVING)
    watch.cancel()


# --- reflection, by grpcio-reflection: v1alpha ---------------------------------------


@check
def reflection_lists(server):
    equal(list(server.database.get_services()), SERVICES)


@check
def reflection_gives_a_service(server):
    service = server.pool.FindServiceByName("catalogue.Catalogue")
    equal([method.name for method in service.methods], ["Find", "All", "OrderHealth"])
    equal(service.file.name, "catalogue.proto")


@check
def reflection_makes_a_call_possible(server):
    request = server.message("catalogue.BookRequest")(title="Emma")
    found = server.call("Find", request, "catalogue.Book")
    equal((found.title, found.cents, found.shelf.room), ("Emma", 1250, "north"))
    equal(found.printed.seconds, 1_000_000_000)


@check
def reflection_gives_what_any_holds(server):
    request = server.message("catalogue.BookRequest")(title="Emma")
    note = server.call("Find", request, "catalogue.Book").notes[0]
    shelf = server.message(note.type_url.rsplit("/", 1)[1]).FromString(note.value)
    equal(shelf.row, 3)


@check
def reflection_gives_extensions(server):
    numbers = server.database.FindAllExtensionNumbers("catalogue.Book")
    equal(list(numbers), [100, 150])
    equal(list(server.database.FindAllExtensionNumbers("catalogue.BookRequest")), [])
    # The database's own method for this gives nothing the first time.
    stub = reflection_pb2_grpc.ServerReflectionStub(server.channel)
    extension = reflection_pb2.ExtensionRequest(
        containing_type="catalogue.Book", extension_number=150
    )
    asked = reflection_pb2.ServerReflectionRequest(file_containing_extension=extension)
    (answer,) = stub.ServerReflectionInfo(iter([asked]), timeout=BOUND)
    encoded = answer.file_descriptor_response.file_descriptor_proto[0]
    file = descriptor_pb2.FileDescriptorProto.FromString(encoded)
    equal((file.name, file.extension[0].name), ("catalogue.proto", "signed_by"))


@check
def reflection_misses_and_goes_on(server):
    for miss in (
        lambda: server.database.FindFileByName("none.proto"),
        lambda: server.database.FindFileContainingSymbol("catalogue.None"),
        lambda: server.database.FindAllExtensionNumbers("catalogue.None"),
    ):
        try:
            told = miss()
        except KeyError:
            continue
        raise AssertionError(f"no miss: {told}")
    equal(server.database.FindFileByName("options.proto").package, "catalogue.common")


@check
def reflection_keeps_options_that_it_does_not_know(server):
    file = server.database.FindFileByName("catalogue.proto")
    options = file.service[0].method[0].options.SerializeToString()
    # Field 50001, by which options.proto extends MethodOptions.
    equal(options, b"\x8a\xb5\x18\x07readers")


@check
def reflection_sends_imports_along_once(server):
    asked = [
        reflection_pb2.ServerReflectionRequest(file_by_filename=name)
        for name in ("catalogue.proto", "options.proto", "catalogue.proto")
    ]
    stub = reflection_pb2_grpc.ServerReflectionStub(server.channel)
    answers = stub.ServerReflectionInfo(iter(asked), timeout=BOUND)
    names = [
        [descriptor_pb2.FileDescriptorProto.FromString(file).name for file in files]
        for files in (
            answer.file_descriptor_response.file_descriptor_proto for answer in answers
        )
    ]
    equal(names[0][0], "catalogue.proto")
    equal(
        sorted(names[0][1:]),
        [
            "google/protobuf/any.proto",
            "google/protobuf/descriptor.proto",
            "google/protobuf/timestamp.proto",
            "options.proto",
        ],
    )
    equal(names[1:], [["options.proto"], ["catalogue.proto"]])


@check
def reflection_asked_for_nothing(server):
    stub = reflection_pb2_grpc.ServerReflectionStub(server.channel)
    asked = iter([reflection_pb2.ServerReflectionRequest(host="x")])
    refused(
        grpc.StatusCode.INVALID_ARGUMENT,
        lambda: list(stub.ServerReflectionInfo(asked, timeout=BOUND)),
    )


# --- grpcurl 1.8.6, which knows v1alpha ------------------------------------------------


@check
def grpcurl_lists(server):
    equal(server.grpcurl("list").split(), SERVICES)
    methods = [f"catalogue.Catalogue.{name}" for name in ("All", "Find", "OrderHealth")]
    equal(sorted(server.grpcurl("list", "catalogue.Catalogue").split()), methods)


@check
def grpcurl_describes_all(server):
    described = server.grpcurl("describe")
    for service in SERVICES:
        assert f"{service} is a service" in described, described


@check
def grpcurl_describes_symbols(server):
    for symbol, kind in {
        "catalogue.Book": "a message",
        "catalogue.Book.price": "a one-of",
        "catalogue.Book.cents": "a field",
        "catalogue.Book.Cover": "an enum",
        "catalogue.Catalogue.Find": "a method",
        "catalogue.signed_by": "an extension",
        "catalogue.common.Shelf": "a message",
        "google.protobuf.Any": "a message",
        "grpc.reflection.v1.ServerReflectionRequest": "a message",
    }.items():
        described = server.grpcurl("describe", symbol)
        assert f"{symbol} is {kind}" in described, described
    assert "readers" in server.grpcurl("describe", "catalogue.Catalogue.Find")


@check
def grpcurl_calls(server):
    found = json.loads(server.grpcurl("catalogue.Catalogue/Find", data={"title": "Emma"}))
    equal((found["title"], found["cover"], found["copies"]), ("Emma", "COVER_HARD", {"north": 2}))
    equal(found["notes"][0]["room"], "north")


@check
def grpcurl_calls_a_stream(server):
    told = server.grpcurl("catalogue.Catalogue/All", data={})
    equal(told.count('"title"'), 3)


@check
def grpcurl_shows_an_error_with_details(server):
    told = server.grpcurl("catalogue.Catalogue/Find", data={}, fails=True)
    assert "InvalidArgument" in told and "which book?" in told and "is empty" in told, told


@check
def grpcurl_probes_health(server):
    told = json.loads(server.grpcurl(f"{HEALTH}/Check"))
    equal(told, {"status": "SERVING"})
    told = server.grpcurl(f"{HEALTH}/Check", data={"service": "none.Such"}, fails=True)
    assert "NotFound" in told, told


@check
def grpcurl_hears_the_load_at_once(server):
    # The stream goes on until the time is over.
    method = f"{LOAD}/StreamCoreMetrics"
    told = server.grpcurl(method, data={}, fails=True, options=["-max-time", "3"])
    assert "DeadlineExceeded" in told, told
    equal(json.loads(told[: told.index("ERROR")]), {"cpuUtilization": 0.25, "rpsFractional": 100})


@check
def grpcurl_misses(server):
    told = server.grpcurl("describe", "catalogue.None", fails=True)
    assert "catalogue.None" in told, told


# --- buf curl, which knows both versions -------------------------------------------------


@check
def buf_lists(server):
    equal(server.buf("", "--list-services").split(), SERVICES)
    methods = [f"catalogue.Catalogue/{name}" for name in ("All", "Find", "OrderHealth")]
    found = server.buf("", "--list-methods").split()
    equal(sorted(name for name in found if name.startswith("catalogue")), methods)


@check
def buf_calls_by_either_version(server):
    for version in ("grpc-v1", "grpc-v1alpha"):
        told = server.buf(
            "/catalogue.Catalogue/Find", "--reflect-protocol", version, data={"title": "Emma"}
        )
        equal(json.loads(told)["notes"][0]["row"], 3)


@check
def buf_calls_a_stream(server):
    told = server.buf("/catalogue.Catalogue/All", data={})
    equal(told.count('"title"'), 3)


@check
def buf_shows_an_error(server):
    told = server.buf("/catalogue.Catalogue/Find", data={}, fails=True)
    assert "invalid_argument" in told and "which book?" in told, told


@check
def buf_calls_health_and_reflection_itself(server):
    told = json.loads(server.buf(f"/{HEALTH}/Check", data={}))
    equal(told, {"status": "SERVING"})
    for version in ("v1", "v1alpha"):
        path = f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo"
        told = json.loads(server.buf(path, data={"listServices": ""}))
        equal([it["name"] for it in told["listServicesResponse"]["service"]], SERVICES)


def main():
    binary, certificates = sys.argv[1:]
    process.end_with_us()
    passed = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        process.must([certificates, folder, "localhost"])
        tls = [
            "--use_tls=true",
            f"--tls_cert_file={folder / 'server.pem'}",
            f"--tls_key_file={folder / 'server.key'}",
        ]
        for security, flags, ca in [("plain", [], None), ("TLS", tls, folder / "ca.pem")]:
            with process.serving([binary, "--port=0", *flags]) as address:
                server = Server(address, ca)
                for function in CHECKS:
                    name = f"{security}: {function.__name__.replace('_', ' ')}"
                    try:
                        function(server)
                    except Exception:
                        failed += 1
                        print(f"FAILED {name}\n{traceback.format_exc()}", flush=True)
                    else:
                        passed += 1
                        print(f"ok {name}", flush=True)
                server.channel.close()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
