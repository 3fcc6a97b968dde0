#!/usr/bin/env python3
"""What many channels, and one over many servers, take in memory and time.

Each row is a client process of its own (`scale_client`) that tells how much its
resident memory grew, and how long it took; the figures are medians of some rounds. Its
server, `interop_server`, is another process, and listens at every address of the
machine.

`--publish` writes the table into PERFORMANCE.md. Linux only.
"""

import argparse
import contextlib
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
HOUSE = HERE.parents[1]
sys.path[:0] = [str(HERE.parent / "interop")]
sys.dont_write_bytecode = True

import page
import process

MANY, ENDPOINTS = 10_000, [10, 100, 1_000]
BOUND = 120
# What a connected channel needs of either process, and what they need besides.
FILES = MANY + 100


def build():
    command = ["cargo", "build", "--release", "--locked", "--package", "grpc-tests"]
    command += ["--bin", "interop_server", "--bin", "scale_client"]
    subprocess.run(command, cwd=HOUSE, check=True)
    return HOUSE / os.environ.get("CARGO_TARGET_DIR", "target") / "release"


def rows(address):
    """A title, the client's flags, and of how many it is."""
    port = address.rpartition(":")[2]
    here = f"--target=127.0.0.1:{port}"
    idle = [f"--channels={MANY}", here]
    yield f"{MANY:,} channels, never called", idle, MANY, "channel"
    yield f"{MANY:,} channels, each with a connection and a call", [*idle, "--call"], MANY, "channel"
    for number in ENDPOINTS:
        flags = [f"--endpoints={number}", f"--port={port}"]
        yield f"a channel with round_robin over {number:,} servers", flags, number, "connection"


def measure(binaries, flags, rounds):
    """Medians of memory and time."""
    told = []
    for _ in range(rounds):
        told.append(json.loads(process.must([binaries / "scale_client", *flags], BOUND)))
    return [statistics.median(each[what] for each in told) for what in ("kib", "seconds")]


def table(binaries, rounds):
    lines = ["| what | memory | of each | time |", "|---|--:|--:|--:|"]
    with contextlib.ExitStack() as stack:
        server = [binaries / "interop_server", "--port=0"]
        _, address = stack.enter_context(process.listening(server))
        for title, flags, number, unit in rows(address):
            kib, seconds = measure(binaries, flags, rounds)
            each = f"{kib / number:.2f} KiB/{unit}"
            lines.append(f"| {title} | {kib / 1024:.1f} MiB | {each} | {seconds * 1000:.0f} ms |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--publish", action="store_true", help="write it into PERFORMANCE.md")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    process.end_with_us()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < FILES:
        raise SystemExit(f"a process may open {most} files here, and {FILES} are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    text = table(build(), arguments.rounds)
    print(text)
    if arguments.publish:
        page.publish("scale", text)


main()
