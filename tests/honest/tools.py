"""Clients that know HTTP alone: h2load and curl, with our server.

That a call ended with grpc-status 0 curl tells by its trailers, h2load by the bytes
of the replies, which a call that fails does not send.
"""

import dataclasses
import functools
import pathlib
import re
import tempfile
import time

import load
import peers
import process
import wire
from connections import Watch

HEADERS = ["-H", "content-type: application/grpc", "-H", "te: trailers"]
CLIENTS = 2


@dataclasses.dataclass
class Request:
    """A call's path, all that it sends, and what it gets."""

    method: str
    sent: bytes
    messages: int
    reply: int
    # The bytes of the messages' bodies, whichever way they go.
    carried: int


def unary(size):
    message = wire.number(2, size) + wire.payload(3, size)
    reply = len(wire.framed(wire.payload(1, size)))
    return Request("UnaryCall", wire.framed(message), 1, reply, size)


def download(size, messages):
    message = wire.text(2, wire.number(1, size)) * messages
    reply = len(wire.framed(wire.payload(1, size))) * messages
    return Request("StreamingOutputCall", wire.framed(message), messages, reply, size * messages)


def upload(size, messages):
    sent = wire.framed(wire.payload(1, size)) * messages
    reply = len(wire.framed(wire.number(1, size * messages)))
    return Request("StreamingInputCall", sent, messages, reply, size * messages)


def version(program):
    return re.search(r"\d+(\.\d+)+", process.must([program, "--version"]))[0]


def h2load(server, request, window, seconds):
    """Windows are of 2 to the power of `window` bytes, less one."""
    with tempfile.NamedTemporaryFile() as file, process.serving(server) as address:
        pathlib.Path(file.name).write_bytes(request.sent)
        port = address.rpartition(":")[2]
        url = f"http://127.0.0.1:{port}/grpc.testing.TestService/{request.method}"
        shape = [f"--duration={seconds}", f"--clients={CLIENTS}", "--max-concurrent-streams=8"]
        windows = [f"--window-bits={window}", f"--connection-window-bits={window}"]
        command = ["h2load", *shape, *windows, f"--data={file.name}", *HEADERS, url]
        with Watch(int(port)) as watch:
            printed, code = process.run(command, seconds + load.PATIENCE)
    counts = re.search(
        r"^requests: \d+ total, \d+ started, \d+ done, (\d+) succeeded, (\d+ failed, .*)$",
        printed,
        re.M,
    )
    data = re.search(r"\((\d+)\) data$", printed, re.M)
    if code != 0 or not counts or not data:
        return load.Outcome(why=f"{printed.strip()[-200:]} ({code})")
    calls, failed = int(counts[1]), counts[2]
    outcome = load.Outcome(calls * request.messages, calls * request.carried, seconds)
    if calls == 0:
        outcome.why = "no call ended"
    elif re.search(r"[1-9]", failed):
        outcome.why = failed
    elif int(data[1]) < calls * request.reply:
        outcome.why = f"{data[1]} bytes came, not {calls} times {request.reply}"
    elif watch.count != CLIENTS:
        outcome.why = f"{watch.count} connections were made, not {CLIENTS}"
    return outcome


def curl(server, request, seconds):
    """One call after another, each on a connection of its own."""
    with tempfile.TemporaryDirectory() as folder, process.serving(server) as address:
        sent, head = pathlib.Path(folder) / "sent", pathlib.Path(folder) / "head"
        sent.write_bytes(request.sent)
        port = address.rpartition(":")[2]
        url = f"http://127.0.0.1:{port}/grpc.testing.TestService/{request.method}"
        command = ["curl", "--silent", "--show-error", "--http2-prior-knowledge", *HEADERS]
        command += ["--data-binary", f"@{sent}", "--output", "/dev/null", "--dump-header", head]
        command += ["--write-out", "%{size_download}", url]
        began = time.monotonic()
        outcome = load.Outcome()
        while not outcome.why and time.monotonic() - began < seconds:
            printed, code = process.run(command, seconds + load.PATIENCE)
            fields = head.read_text() if head.exists() else ""
            ended = re.search(r"^grpc-status: 0\r?$", fields, re.M)
            if code != 0 or printed != str(request.reply) or not ended:
                outcome.why = f"{printed.strip()[-200:]} ({code}), grpc-status 0: {bool(ended)}"
            else:
                outcome.messages += request.messages
                outcome.bytes += request.carried
        outcome.seconds = time.monotonic() - began
    return outcome


def cells(name, server, seconds, short):
    """What each cell of a program is called, and what runs it."""
    if name == "curl":
        requests = {
            "download 64 KiB": download(64 << 10, 4096),
            "download 1 B": download(1, 100_000),
            "upload 64 KiB": upload(64 << 10, 1024),
        }
        return {
            work: functools.partial(curl, server, request, seconds)
            for work, request in requests.items()
        }
    works = [
        ("unary 1 B", unary(1), 16),
        ("unary 64 KiB", unary(64 << 10), 30),
        ("download 64 KiB", download(64 << 10, 64), 16),
        ("download 1 B", download(1, 5000), 10),
    ]
    if not short:
        works += [
            ("unary 64 KiB", unary(64 << 10), 10),
            ("download 1 KiB", download(1 << 10, 100), 10),
            ("download 64 KiB", download(64 << 10, 64), 30),
            ("download 1 B", download(1, 5000), 30),
            ("upload 1 KiB", upload(1 << 10, 1000), 16),
            ("upload 64 KiB", upload(64 << 10, 64), 30),
        ]
    return {
        f"{work}, windows 2^{window}": functools.partial(h2load, server, request, window, seconds)
        for work, request, window in works
    }


TOOLS = {"h2load": "nghttp2-client", "curl": "curl"}


def find(name):
    """Its version."""
    peers.need(TOOLS[name], name)
    return version(name)
