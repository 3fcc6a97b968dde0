#!/usr/bin/env python3
"""What hedging costs in further attempts, and what it saves, where answers are slow now
and then.

Three servers (`interop_server`) take 2 ms a call, and 50 ms for 2 in a hundred. A client
(`fleet_client`) calls them by round_robin, first without a policy, then with a hedging
policy of several delays. The servers count the attempts. The figures are medians of some
rounds.

`--publish` writes the table into PERFORMANCE.md.
"""

import argparse
import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
HOUSE = HERE.parents[1]
sys.path[:0] = [str(HERE.parent / "interop")]
sys.dont_write_bytecode = True

import page
import process

SERVER = ["--port=0", "--tell_calls", "--delay_ms=2", "--slow_percent=2", "--slow_ms=50"]
SERVERS, CALLS, CONCURRENCY = 3, 10_000, 4
# In milliseconds; None is no policy.
DELAYS = [None, 25, 10, 5]
BOUND = 120


def build():
    command = ["cargo", "build", "--release", "--locked", "--package", "grpc-tests"]
    command += ["--bin", "interop_server", "--bin", "fleet_client"]
    subprocess.run(command, cwd=HOUSE, check=True)
    return HOUSE / os.environ.get("CARGO_TARGET_DIR", "target") / "release"


def config(delay):
    whole = {"loadBalancingConfig": [{"round_robin": {}}]}
    if delay is not None:
        policy = {"maxAttempts": 2, "hedgingDelay": f"{delay / 1000}s"}
        whole["methodConfig"] = [{"name": [{}], "hedgingPolicy": policy}]
    return json.dumps(whole)


def listening(stack, binaries):
    """A server that counts its calls, and its port."""
    command = [binaries / "interop_server", *SERVER]
    server = stack.enter_context(process.started(command, stdin=subprocess.PIPE))
    line = server.stdout.readline().strip()
    if not line.startswith("listening on "):
        raise RuntimeError(f"it did not listen: '{line}'")
    return server, line.rpartition(":")[2]


def attempts(server):
    """How many unary calls it had."""
    server.stdin.close()
    return int(server.stdout.readline().removeprefix("calls "))


def measure(binaries, delay):
    """The times that calls took, and how many attempts each took beyond the first."""
    with contextlib.ExitStack() as stack:
        servers = [listening(stack, binaries) for _ in range(SERVERS)]
        target = "ipv4:" + ",".join(f"127.0.0.1:{port}" for _, port in servers)
        flags = [f"--target={target}", f"--service_config_json={config(delay)}"]
        flags += [f"--calls={CALLS}", f"--concurrency={CONCURRENCY}"]
        printed = process.must([binaries / "fleet_client", *flags], BOUND)
        line = json.loads(printed.splitlines()[-1])
        if line["codes"] != {"OK": CALLS}:
            raise RuntimeError(f"not all calls succeeded: {line['codes']}")
        made = sum(attempts(server) for server, _ in servers)
    times = [line[f"{name}_us"] / 1000 for name in ("p50", "p99", "p999")]
    return [*times, made / CALLS - 1]


def table(binaries, rounds):
    found = {delay: [] for delay in DELAYS}
    for _ in range(rounds):
        for delay in DELAYS:
            found[delay].append(measure(binaries, delay))
    lines = ["| hedging delay | p50 | p99 | p99.9 | further attempts |", "|---|--:|--:|--:|--:|"]
    for delay, rows in found.items():
        *times, more = (statistics.median(column) for column in zip(*rows))
        name = "no policy" if delay is None else f"{delay} ms"
        cells = [*(f"{time:.1f} ms" for time in times), f"{more:.1%}"]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--publish", action="store_true", help="write it into PERFORMANCE.md")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    process.end_with_us()
    text = table(build(), arguments.rounds)
    print(text)
    if arguments.publish:
        page.publish("hedging", text)


main()
