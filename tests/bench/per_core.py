#!/usr/bin/env python3
"""One server on all cores beside a server on each (SO_REUSEPORT), under h2load.

Prints a table for numbers of connections: what a call of a hello costs the servers in
CPU time, and how many were answered in a second while h2load used the same cores. The
connections' share of the socket that got the most is what decides how long the last of
them waits. Needs Linux and h2load; two minutes.
"""

import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HOUSE = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", HOUSE / "target"))
PROGRAM = TARGET / "release" / "per_core"
CALLS = 400_000
ROUNDS = 5
CONNECTIONS = [1, 4, 100]
# No compression, the length as four bytes, and HelloRequest { greeting: "World" }.
REQUEST = b"\0\0\0\0\7\12\5World"


def cpu_seconds(process):
    """Of all threads of a process, from the scheduler's own count of nanoseconds."""
    tasks = Path(f"/proc/{process}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def load(address, request, connections, calls):
    """Has h2load make the calls; how many were answered in a second."""
    run = subprocess.run(
        ["h2load", f"--requests={calls}", f"--clients={connections}",
         f"--max-concurrent-streams={max(1, 400 // connections)}", f"--data={request}",
         "-H", "content-type: application/grpc", "-H", "te: trailers",
         f"http://{address}/example.HelloService/SayHello"],
        capture_output=True, text=True, timeout=300, check=True)
    if f"{calls} succeeded" not in run.stdout:
        sys.exit(f"not all calls were answered:\n{run.stdout}")
    return float(re.search(r"([\d.]+) req/s", run.stdout)[1])


def measure(servers, request, connections):
    """Microseconds of CPU a call, and calls a second."""
    process = subprocess.Popen([PROGRAM, "127.0.0.1:0", servers], stdout=subprocess.PIPE, text=True)
    try:
        address = process.stdout.readline().split()[-1]
        load(address, request, connections, CALLS // 10)
        before = cpu_seconds(process.pid)
        rate = load(address, request, connections, CALLS)
        return (cpu_seconds(process.pid) - before) / CALLS * 1e6, rate
    finally:
        process.kill()
        process.wait()


def main():
    subprocess.run(["cargo", "build", "--release", "--locked", "-p", "examples", "--bin",
                    "per_core"], cwd=HOUSE, check=True)
    cores = os.cpu_count()
    print(f"{cores} cores, medians of {ROUNDS} rounds of {CALLS:,} calls, 400 in flight\n")
    print("| connections | one server on all cores: µs CPU a call, calls a second "
          "| a server on each core: the same |")
    print("|---|---|---|")
    with tempfile.NamedTemporaryFile() as file:
        file.write(REQUEST)
        file.flush()
        for connections in CONNECTIONS:
            cells = []
            found = {"all": [], str(cores): []}
            # By turns, so that whatever else the machine does is shared.
            for _ in range(ROUNDS):
                for servers, list_ in found.items():
                    list_.append(measure(servers, file.name, connections))
            for list_ in found.values():
                cost, rate = (statistics.median(column) for column in zip(*list_))
                cells.append(f"{cost:.2f}, {rate:,.0f}")
            print(f"| {connections} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
