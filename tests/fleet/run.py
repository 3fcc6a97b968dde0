#!/usr/bin/env python3
"""Our client in front of three servers that are killed, hang, drain and are replaced,
behind a name that changes and a link that fails, and grpcio and grpc-js in our client's
place.

run.py [NAME …] [--whole] [--check]

Each case is told with its numbers in a table at the end. NAMEs choose cases; `--whole`
runs longer ones, and asks how long calls take while servers die. Needs cargo, python3
with venv, node and npm; grpcio and grpc-js are installed below target/. What a machine
cannot do is told and left out; with `--check` that is a failure. Ends with 1 if anything
failed.
"""

import argparse
import concurrent.futures
import pathlib
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "interop"), str(HERE.parent / "honest")]
sys.dont_write_bytecode = True

import cases
import compare
import fleet
import namespaces
import peers
import policies
import process
import programs

CASES = {
    "even_shares": cases.even_shares,
    "killed": cases.killed,
    "queued": cases.queued,
    "hung": cases.hung,
    "one_at_a_time": cases.one_at_a_time,
    "all_gone": cases.all_gone,
    "drained": cases.drained,
    "rolling": cases.rolling,
    "asked_for": cases.asked_for,
    "with_grpcio": cases.with_grpcio,
    "states": cases.states,
    "retried": policies.retried,
    "hedged": policies.hedged,
    "ejected": policies.ejected,
    "slow": policies.slow,
    "weighted": policies.weighted,
    "ring": policies.ring,
    "compared": compare.compared,
    "names": cases.names,
    "link": cases.link,
}

# Those that wait for most of their time.
WAITING = {"hung", "all_gone", "queued", "names", "link", "ejected", "rolling"}


def tried(names, bench):
    """A row for each case: its name, how it ended, its time, and its numbers or why."""
    rows = []
    for name in names:
        began = time.monotonic()
        try:
            end, text = "pass", CASES[name](bench)
        except namespaces.LeftOut as reason:
            end, text = "LEFT OUT", str(reason)
        except (fleet.Wrong, peers.Missing, RuntimeError, OSError) as reason:
            end, text = "FAIL", repr(reason)
        rows.append((name, end, f"{time.monotonic() - began:.1f} s", text))
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
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    process.end_with_us()

    binaries = programs.build(arguments.whole)
    bench = cases.Bench(binaries, programs.target() / "interop", arguments.whole)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        names = lanes(arguments.names or list(CASES), arguments.whole)
        rows = [row for rows in pool.map(lambda lane: tried(lane, bench), names) for row in rows]
    print()
    for name, end, took, text in rows:
        print(f"{name:14} {end} {took:>7}  {text}")
    bad = {"FAIL", "LEFT OUT"} if arguments.check else {"FAIL"}
    return 1 if bad & {end for _, end, *_ in rows} else 0


if __name__ == "__main__":
    sys.exit(main())
