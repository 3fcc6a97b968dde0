#!/usr/bin/env python3
"""Our client in front of three servers that are killed, hang and drain, and grpcio in
our client's place.

run.py [NAME …] [--whole]

Each case is told with its numbers in a table at the end. NAMEs choose cases; `--whole`
runs longer ones, and asks how long calls take while servers die. Needs cargo and python3
with venv; grpcio is installed below target/. Ends with 1 if anything failed.
"""

import argparse
import concurrent.futures
import os
import pathlib
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "interop"), str(HERE.parent / "honest")]
sys.dont_write_bytecode = True

import cases
import fleet
import peers
import process

CASES = {
    "even_shares": cases.even_shares,
    "killed": cases.killed,
    "queued": cases.queued,
    "hung": cases.hung,
    "one_at_a_time": cases.one_at_a_time,
    "all_gone": cases.all_gone,
    "drained": cases.drained,
    "asked_for": cases.asked_for,
    "with_grpcio": cases.with_grpcio,
    "states": cases.states,
}

# Those that wait for most of their time.
WAITING = {"hung", "all_gone", "queued"}


def build(whole):
    """Our programs; gives where they are."""
    house = HERE.parents[1]
    command = ["cargo", "build", "--locked", "--package", "grpc-tests"]
    command += ["--bin", "interop_server", "--bin", "fleet_client"]
    subprocess.run([*command, *(["--release"] if whole else [])], cwd=house, check=True)
    target = house / os.environ.get("CARGO_TARGET_DIR", "target")
    return target / ("release" if whole else "debug"), target / "interop"


def tried(names, bench):
    """A row for each case: its name, why it failed or nothing, its time and numbers."""
    rows = []
    for name in names:
        began = time.monotonic()
        try:
            why, numbers = "", CASES[name](bench)
        except (fleet.Wrong, peers.Missing, RuntimeError, OSError) as reason:
            why, numbers = repr(reason), ""
        rows.append((name, why, f"{time.monotonic() - began:.1f} s", why or numbers))
    return rows


def lanes(names, whole):
    """Cases that run one after the other, beside those of another lane."""
    if whole:
        return [names]
    waiting = [name for name in names if name in WAITING]
    return [lane for lane in (waiting, [name for name in names if name not in waiting]) if lane]


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("names", nargs="*", choices=[[], *CASES], metavar="NAME")
    parser.add_argument("--whole", action="store_true")
    arguments = parser.parse_args()
    process.end_with_us()

    binaries, work = build(arguments.whole)
    bench = cases.Bench(binaries, work, arguments.whole)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        names = lanes(arguments.names or list(CASES), arguments.whole)
        rows = [row for rows in pool.map(lambda lane: tried(lane, bench), names) for row in rows]
    print()
    for name, why, took, text in rows:
        print(f"{name:14} {'FAIL' if why else 'pass'} {took:>7}  {text}")
    return 1 if any(why for _, why, *_ in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
