#!/usr/bin/env python3
"""Our client in front of three servers that are killed, hang and drain, and grpcio in
our client's place.

run.py [NAME …] [--whole]

Each case is told with its numbers in a table at the end. NAMEs choose cases; `--whole`
runs longer ones, and asks how long calls take while servers die. Needs cargo and python3
with venv; grpcio is installed below target/. Ends with 1 if anything failed.
"""

import argparse
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
    "hung": cases.hung,
    "one_at_a_time": cases.one_at_a_time,
    "drained": cases.drained,
    "asked_for": cases.asked_for,
    "with_grpcio": cases.with_grpcio,
    "states": cases.states,
}


def build(whole):
    """Our programs; gives where they are."""
    house = HERE.parents[1]
    command = ["cargo", "build", "--locked", "--package", "grpc-tests"]
    command += ["--bin", "interop_server", "--bin", "fleet_client"]
    subprocess.run([*command, *(["--release"] if whole else [])], cwd=house, check=True)
    target = house / os.environ.get("CARGO_TARGET_DIR", "target")
    return target / ("release" if whole else "debug"), target / "interop"


def tried(case, bench):
    """Why a case failed, or nothing; and its numbers."""
    try:
        return "", case(bench)
    except (fleet.Wrong, peers.Missing, RuntimeError, OSError) as reason:
        return str(reason) or repr(reason), ""


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("names", nargs="*", choices=[[], *CASES], metavar="NAME")
    parser.add_argument("--whole", action="store_true")
    arguments = parser.parse_args()
    process.end_with_us()

    binaries, work = build(arguments.whole)
    bench = cases.Bench(binaries, work, arguments.whole)
    rows = []
    for name in arguments.names or CASES:
        began = time.monotonic()
        why, numbers = tried(CASES[name], bench)
        rows.append((name, why, f"{time.monotonic() - began:.1f} s", why or numbers))
    print()
    for name, why, took, text in rows:
        print(f"{name:14} {'FAIL' if why else 'pass'} {took:>7}  {text}")
    return 1 if any(why for _, why, *_ in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
