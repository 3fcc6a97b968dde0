#!/usr/bin/env python3
"""Counts what the hot paths cost, in numbers that no noise of a machine moves.

Each workload is a unit test of the runtime (`instructions_tests.rs`) that does
its work as often as GRPC_WORKLOAD_ROUNDS says. It runs under valgrind with N and
with 2N rounds, and the difference over N is the cost of one round: what is set up
once cancels out. Counted are

    instructions    callgrind: user code only, no kernel
    copied          dhat --mode=copy: bytes through memcpy and its kin
    allocations     dhat: blocks taken from the heap

Each is held against baseline.json, beside this file. A cost that rose by more
than the tolerance fails; one that fell is told. `BLESS=1` writes the baseline
anew. Arguments are parts of workloads' names, to run only those.

It needs valgrind, and Linux on x86-64: elsewhere the numbers are others.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BASELINE = HERE / "baseline.json"

# The test harness itself varies by a few thousand instructions a run, so the less
# a round costs, the more of them are needed.
ROUNDS = {"mebibyte": 8, "hpack": 4000, "frame": 8000}
OTHER_ROUNDS = 400

# A counter: valgrind's options, what it prints, and what may be added to a
# round's cost unnoticed, as a share and in units. Counts repeat exactly for one
# binary; the shares leave room for another patch release of the compiler, the C
# library or a dependency.
COUNTERS = {
    "instructions": (
        ["--tool=callgrind", "--callgrind-out-file=/dev/null"],
        r"Collected : ([\d,]+)",
        (0.04, 10),
    ),
    "copied": (
        ["--tool=dhat", "--mode=copy", "--dhat-out-file=/dev/null"],
        r"Total: +([\d,]+) bytes in",
        (0.04, 16),
    ),
    "allocations": (
        ["--tool=dhat", "--dhat-out-file=/dev/null"],
        r"Total: +[\d,]+ bytes in ([\d,]+) blocks",
        (0.0, 0.3),
    ),
}

# One workload against another of the same run: what a feature may add to a call.
AT_MOST = {
    ("client_unary_round_robin", "client_unary"): 1.05,
    ("client_unary_retry", "client_unary"): 1.03,
    # An observer that wants to hear of no call, as one of spans that nobody collects.
    ("client_unary_unwanted", "client_unary"): 1.02,
    ("server_unary_unwanted", "server_unary"): 1.02,
    # An observer that does nothing.
    ("client_unary_observed", "client_unary"): 1.15,
    ("server_unary_observed", "server_unary"): 1.2,
}

# The C library picks its memcpy by the processor: all take the one that every
# x86-64 has, with thresholds that do not follow the size of a cache.
TUNABLES = ":".join(
    [
        "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX2,-AVX_Fast_Unaligned_Load,-ERMS,-FSRM",
        "glibc.cpu.x86_non_temporal_threshold=0x10000000",
        "glibc.cpu.x86_rep_movsb_threshold=0x10000000",
        # Nor may a large block be mapped anew each time, or not.
        "glibc.malloc.mmap_threshold=0x10000000",
        "glibc.malloc.trim_threshold=0x10000000",
    ]
)


def build():
    """The release-built unit tests of the runtime."""
    command = ["cargo", "test", "--release", "--locked", "-p", "grpc-runtime", "--lib"]
    command += ["--no-run", "--message-format=json"]
    output = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    for line in output.stdout.splitlines():
        message = json.loads(line)
        if message.get("executable") and message["target"]["name"] == "grpc_runtime":
            return message["executable"]
    raise SystemExit("cargo built no unit tests")


def workloads(binary, parts):
    listed = subprocess.run([binary, "--list"], check=True, stdout=subprocess.PIPE, text=True)
    names = re.findall(r"^(\S*instructions_tests::\S+): test$", listed.stdout, re.M)
    return [name for name in names if not parts or any(part in name for part in parts)]


def count(binary, workload, counter, rounds):
    options, pattern, _ = COUNTERS[counter]
    command = ["valgrind", *options, binary, "--exact", workload, "--test-threads=1"]
    environment = {
        "PATH": os.environ["PATH"],
        "GRPC_WORKLOAD_ROUNDS": str(rounds),
        "GLIBC_TUNABLES": TUNABLES,
    }
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    found = re.search(pattern, done.stderr)
    if done.returncode != 0 or not found:
        raise SystemExit(f"{workload} under valgrind:\n{done.stdout}\n{done.stderr}")
    return int(found[1].replace(",", ""))


def cost(binary, workload, counter):
    name = workload.rsplit("::")[-1]
    rounds = next((count for part, count in ROUNDS.items() if part in name), OTHER_ROUNDS)
    once, twice = (count(binary, workload, counter, times * rounds) for times in (1, 2))
    return max(0.0, round((twice - once) / rounds, 1))


def is_worse(counter, base, now):
    share, units = COUNTERS[counter][2]
    return now > base * (1 + share) + units


def told(base, now):
    if base is None:
        return f"{'-':>11} {now:>11,.1f}        "
    change = f"{(now - base) / base:+.1%}" if base else ""
    return f"{base:>11,.1f} {now:>11,.1f} {change:>7}"


def main():
    binary = build()
    names = workloads(binary, sys.argv[1:])
    baseline = json.loads(BASELINE.read_text()) if BASELINE.exists() else {}
    tasks = [(name, counter) for name in names for counter in COUNTERS]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        costs = dict(zip(tasks, pool.map(lambda task: cost(binary, *task), tasks)))

    worse, better, unknown = [], [], []
    now = {name.rsplit("::")[-1]: {c: costs[name, c] for c in COUNTERS} for name in names}
    print(f"{'one round of':<26}" + "".join(f"{c + ': base, now, change':^34}" for c in COUNTERS))
    for name, counted in now.items():
        base = baseline.get(name, {})
        print(f"{name:<26}" + "  ".join(f"{told(base.get(c), counted[c])}" for c in COUNTERS))
        for counter, value in counted.items():
            if counter not in base:
                unknown.append(f"{name}: {counter}")
            elif is_worse(counter, base[counter], value):
                worse.append(f"{name}: {counter} {base[counter]:,} -> {value:,}")
            elif is_worse(counter, value, base[counter]):
                better.append(f"{name}: {counter} {base[counter]:,} -> {value:,}")

    for (name, other), most in AT_MOST.items():
        if name in now and other in now:
            ratio = now[name]["instructions"] / now[other]["instructions"]
            print(f"{name}: {ratio:.3f} of {other}, {most} at most")
            if ratio > most:
                worse.append(f"{name}: {ratio:.3f} of {other}")

    if os.environ.get("BLESS") == "1":
        BASELINE.write_text(json.dumps(baseline | now, indent=2, sort_keys=True) + "\n")
        return print(f"\nwritten: {BASELINE.relative_to(ROOT)}")
    if better:
        print("\nfell by more than the tolerance (BLESS=1 keeps it):", *better, sep="\n  ")
    if unknown:
        print("\nnot in the baseline (BLESS=1 adds it):", *unknown, sep="\n  ")
    if worse:
        print("\nrose by more than the tolerance:", *worse, sep="\n  ")
    sys.exit(1 if worse or unknown else 0)


if __name__ == "__main__":
    main()
