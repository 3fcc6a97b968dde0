"""The other languages' programs: how each is installed or built, and started.

Everything lands below a work folder, and is made anew when its sources change.
"""

import concurrent.futures
import dataclasses
import hashlib
import json
import pathlib
import re
import shutil
import subprocess

import process

HERE = pathlib.Path(__file__).parent
PROTOS = HERE.parent / "proto/grpc/testing"
HELLO = HERE.parents[1] / "examples/proto"
GOCODE = pathlib.Path("/usr/share/gocode")

# A library that hides how a message came cannot probe its requests; one whose
# compression is a whole call's cannot mix.
HIDES_REQUESTS = {"client_compressed_unary", "client_compressed_streaming"}
# grpcio has no means for it, grpc C++ declares some that Debian's library does not have,
# and grpc-go came to it later. As clients the first two take a report out of the trailing
# metadata, for their own policies alone. A server of grpc-js that may report reads its
# .proto files anew for each call, some 30 ms.
REPORTS = {"orca_per_rpc"}


class Missing(Exception):
    """What a peer needs is not on this machine."""


@dataclasses.dataclass
class Peer:
    name: str
    version: str
    server: list
    client: list
    # Cases that the peer's library has no means for.
    server_lacks: set = dataclasses.field(default_factory=set)
    client_lacks: set = dataclasses.field(default_factory=set)
    env: dict = dataclasses.field(default_factory=dict)


def fresh(folder, inputs, make):
    """Calls `make` in an emptied folder, unless nothing changed since it did."""
    files = sorted(file for part in inputs for file in ([part] if part.is_file() else part.iterdir()))
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    stamp = folder / "stamp"
    if stamp.exists() and stamp.read_text() == digest.hexdigest():
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    make()
    stamp.write_text(digest.hexdigest())


def need(what, *programs):
    for program in programs:
        if not shutil.which(program):
            raise Missing(f"no {program}; on Debian: apt-get install {what}")


def install(command, what):
    """An installation from a registry, which a machine may not reach."""
    printed, code = process.run(command, 600)
    if code != 0:
        reason = (printed.strip().splitlines() or [""])[-1]
        raise Missing(f"{what} did not install ({code}): {reason}")


def python(work):
    folder = work / "python"
    requirements = HERE / "python/requirements.txt"
    interpreter = folder / "venv/bin/python"

    def make():
        need("python3-venv", "python3")
        process.must(["python3", "-m", "venv", folder / "venv"])
        pip = [interpreter, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        install([*pip, "-r", requirements], "grpcio")
        (folder / "generated").mkdir()
        for include, protos in ((PROTOS, PROTOS.glob("*.proto")), (HELLO, [HELLO / "hello.proto"])):
            outputs = [f"--{kind}_out={folder / 'generated'}" for kind in ("python", "grpc_python")]
            process.must([interpreter, "-m", "grpc_tools.protoc", f"-I{include}", *outputs, *protos])

    fresh(folder, [requirements, PROTOS, HELLO / "hello.proto"], make)
    return Peer(
        name="grpcio",
        version=re.search(r"^grpcio==(.*)$", requirements.read_text(), re.M)[1],
        server=[interpreter, HERE / "python/interop_server.py"],
        client=[interpreter, HERE / "python/interop_client.py"],
        server_lacks=HIDES_REQUESTS | REPORTS,
        client_lacks={"client_compressed_streaming", *REPORTS},
        env={"PYTHONPATH": str(folder / "generated"), "PYTHONDONTWRITEBYTECODE": "1"},
    )


def node(work):
    folder = work / "node"
    package = HERE / "node/package.json"

    def make():
        need("nodejs npm", "node", "npm")
        shutil.copy(package, folder)
        quiet = ["--silent", "--no-audit", "--no-fund"]
        install(["npm", "install", "--prefix", folder, *quiet], "grpc-js")

    fresh(folder, [package], make)
    return Peer(
        name="grpc-js",
        version=json.loads(package.read_text())["dependencies"]["@grpc/grpc-js"],
        server=["node", HERE / "node/server.js"],
        client=["node", HERE / "node/client.js"],
        # It compresses no response, and a request's stream as a whole.
        server_lacks={
            *HIDES_REQUESTS,
            *REPORTS,
            "server_compressed_unary",
            "server_compressed_streaming",
        },
        client_lacks={"client_compressed_streaming"},
        env={"NODE_PATH": str(folder / "node_modules")},
    )


def cpp(work):
    folder = work / "cpp"
    packages = "g++ pkg-config libgrpc++-dev protobuf-compiler protobuf-compiler-grpc"
    need(packages, "g++", "pkg-config", "protoc", "grpc_cpp_plugin")
    library = ["grpc++", "protobuf"]
    if subprocess.run(["pkg-config", "--exists", *library]).returncode != 0:
        raise Missing(f"no grpc++; on Debian: apt-get install {packages}")

    def make():
        plugin = f"--plugin=protoc-gen-grpc={shutil.which('grpc_cpp_plugin')}"
        outputs = [f"--cpp_out={folder}", f"--grpc_out={folder}", plugin]
        process.must(["protoc", f"-I{PROTOS}", *outputs, *PROTOS.glob("*.proto")])
        flags = process.must(["pkg-config", "--cflags", "--libs", *library]).split()
        compiler = ["g++", "-std=c++17", "-O1", f"-I{folder}"]
        objects = []
        for source in ("empty.pb.cc", "messages.pb.cc", "test.pb.cc", "test.grpc.pb.cc"):
            objects.append(folder / f"{source}.o")
            process.must([*compiler, "-c", folder / source, "-o", objects[-1], *flags])
        for program in ("server", "client"):
            source = HERE / f"cpp/{program}.cc"
            process.must([*compiler, source, *objects, "-o", folder / program, *flags])

    fresh(folder, [HERE / "cpp", PROTOS], make)
    return Peer(
        name="grpc C++",
        version=process.must(["pkg-config", "--modversion", "grpc++"]).strip(),
        server=[folder / "server"],
        client=[folder / "client"],
        server_lacks=HIDES_REQUESTS | REPORTS,
        client_lacks=REPORTS,
    )


def go_env(work):
    """What builds with the generated services and Debian's packages."""
    return {
        "GO111MODULE": "off",
        "GOPATH": f"{work / 'go/path'}:{GOCODE}",
        "GOCACHE": str(work / "go/cache"),
    }


def go(work):
    folder = work / "go"
    packages = (
        "golang-go golang-google-grpc-dev golang-google-protobuf-dev "
        "golang-github-golang-protobuf-1-5-dev protoc-gen-go-1-5 protoc-gen-go-grpc protobuf-compiler"
    )
    need(packages, "go", "protoc", "protoc-gen-go", "protoc-gen-go-grpc")
    version = GOCODE / "src/google.golang.org/grpc/version.go"
    if not version.exists():
        raise Missing(f"no grpc-go; on Debian: apt-get install {packages}")

    def make():
        src = folder / "path/src"
        src.mkdir(parents=True)
        protos = sorted(PROTOS.glob("*.proto"))
        homes = ",".join(f"M{proto.name}=interop/testing" for proto in protos)
        outputs = [f"--{kind}_out={homes}:{src}" for kind in ("go", "go-grpc")]
        process.must(["protoc", f"-I{PROTOS}", *outputs, *protos])
        command = ["go", "build", "-o", folder / "peer", *(HERE / "go").glob("*.go")]
        process.must(command, env=go_env(work))

    fresh(folder, [HERE / "go", PROTOS], make)
    return Peer(
        name="grpc-go",
        version=re.search(r'Version = "(.*)"', version.read_text())[1],
        server=[folder / "peer", "server"],
        client=[folder / "peer", "client"],
        # It compresses an answer as the request was, whatever was asked for.
        server_lacks={
            *HIDES_REQUESTS,
            *REPORTS,
            "server_compressed_unary",
            "server_compressed_streaming",
        },
        client_lacks={"client_compressed_streaming", *REPORTS},
    )


PEERS = {"grpcio": python, "grpc-js": node, "grpc C++": cpp, "grpc-go": go}


def prepare(work):
    """The peers that there are, and why there are no others."""
    # Absolute, for the programs that run elsewhere.
    work = work.resolve()
    with concurrent.futures.ThreadPoolExecutor(len(PEERS)) as pool:
        making = {name: pool.submit(make, work) for name, make in PEERS.items()}
    peers, missing = [], {}
    for name, made in making.items():
        try:
            peers.append(made.result())
        except Missing as reason:
            missing[name] = str(reason)
    return peers, missing
