#!/usr/bin/env python3
"""Our client behind a link that fails without a word.

link.py [--whole]

The client is in one network, its server in another, and between them is a link that is
taken down under load: no packet comes, and nobody is told. A break that is shorter than
keepalive's time costs nothing but late calls. In a longer one keepalive finds out, calls
end by their deadlines, and when the link is back so is the channel. The whole does it at
either end of the link, several times. It runs in namespaces: it needs cargo, unshare,
nsenter and ip.
"""

import contextlib
import pathlib
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "interop")]
sys.dont_write_bytecode = True

import namespaces
import process
from fleet import Counting, client, expect, run

# The ends of the link, and who is there.
NEAR, FAR = "near", "far"
ADDRESSES = {NEAR: ("10.99.0.1/24", "fe80::1/64"), FAR: ("10.99.0.2/24", "fe80::2/64")}
TARGET = "ipv4:10.99.0.2:50051"
# Of addresses of the link, which lead nowhere without a zone.
LOCAL_TARGET = f"ipv6:[fe80::2%{NEAR}]:50051"
# In seconds: when a silent connection is asked about and given up, and when a call is.
KEEPALIVE, PATIENCE, DEADLINE = 10, 2, 1.5
# What else a step may take on a machine that does other things too: lines come each second.
SLACK = 3
STEP, BOUND = 40, 400
CONCURRENCY = 8


class Link:
    """Two networks with a link between them; the near one is ours."""

    def __init__(self, stack):
        namespaces.ip("link", "set", "lo", "up")
        sleep = ["unshare", "--net", "sh", "-c", "echo there; exec sleep infinity"]
        holder = stack.enter_context(process.started(sleep))
        expect(holder.stdout.readline() == "there\n", "there is no second network")
        self.there = ["nsenter", f"--net=/proc/{holder.pid}/ns/net"]
        namespaces.ip("link", "add", NEAR, "type", "veth", "peer", "name", FAR)
        namespaces.ip("link", "set", FAR, "netns", str(holder.pid))
        for end, addresses in ADDRESSES.items():
            for address in addresses:
                # Nobody else can have one, so IPv6 need not ask around first.
                at_once = ["nodad"] if ":" in address else []
                self.ip(end, "address", "add", address, "dev", end, *at_once)
            self.set(end, "up")

    def ip(self, end, *arguments):
        namespaces.ip(*arguments, prefix=self.there if end == FAR else [])

    def set(self, end, state):
        self.ip(end, "link", "set", end, state)


def codes(lines):
    return {code for line in lines for code in line["codes"]}


def short_break(link, ours, server, end):
    """The connection outlives it; calls may be late."""
    place, before = len(ours.lines), server.accepted
    link.set(end, "down")
    time.sleep(DEADLINE + 1)
    link.set(end, "up")
    well = lambda line: set(line["codes"]) == {"OK"}
    back = ours.await_later(well, "calls after a short break", STEP)
    found = codes(ours.lines[place:back])
    expect("DEADLINE_EXCEEDED" in found, f"a short break, and no call was late: {found}")
    expect(found <= {"OK", "DEADLINE_EXCEEDED"}, f"a short break: {found}")
    expect(server.accepted == before, "a short break cost the connection")


def long_break(link, ours, server, end):
    """Gives how long it took until keepalive knew, and until calls succeeded again."""
    place, before = len(ours.lines), server.accepted
    link.set(end, "down")
    began = time.monotonic()
    lost = lambda line: "UNAVAILABLE" in line["codes"]
    found = ours.await_line(lost, "keepalive finds out", KEEPALIVE + PATIENCE + SLACK, place)
    known = time.monotonic() - began
    expect(known >= KEEPALIVE - 1, f"the connection was given up after {known:.1f} s")
    # Until then calls were late, and nothing else.
    between = codes(ours.lines[place : found - 1])
    expect("DEADLINE_EXCEEDED" in between, f"no call was late: {between}")
    # And while there is no way, none succeeds.
    ours.await_later(lambda line: "OK" not in line["codes"], "the link is down", STEP)
    link.set(end, "up")
    began = time.monotonic()
    well = lambda line: set(line["codes"]) == {"OK"}
    ours.await_later(well, "calls once the link is up", STEP)
    expect(server.accepted > before, "a connection that was given up served calls")
    return known, time.monotonic() - began


def case(binaries, whole):
    """Gives the numbers, in words."""
    command = [binaries / "fleet_client", f"--target={TARGET}", f"--concurrency={CONCURRENCY}"]
    command += [f"--timeout_ms={DEADLINE * 1000:.0f}", f"--keepalive_ms={KEEPALIVE * 1000}"]
    command += [f"--keepalive_timeout_ms={PATIENCE * 1000}", "--seconds=3600", "--until_eof"]
    told = []
    with contextlib.ExitStack() as stack:
        link = Link(stack)
        serve = [binaries / "interop_server", "--port=50051", "--tell_connections"]
        server = Counting(stack, [*link.there, *serve, "--delay_ms=5"])
        local = [binaries / "fleet_client", f"--target={LOCAL_TARGET}", "--calls=10"]
        _, total = run(local, STEP)
        expect(total["codes"] == {"OK": 10}, f"{LOCAL_TARGET}: {total['codes']}")
        ours = stack.enter_context(client([*command, "--servers=1"]))
        ours.await_later(lambda line: set(line["codes"]) == {"OK"}, "the first calls", STEP)
        for end in [FAR, NEAR, FAR, NEAR] if whole else [FAR]:
            short_break(link, ours, server, end)
            known, back = long_break(link, ours, server, end)
            told.append(f"{end}: given up after {known:.1f} s, back after {back:.1f} s")
        total = ours.end()
    longest = total["longest_us"] / 1e6
    expect(longest < DEADLINE + SLACK, f"a call took {longest:.1f} s, and had {DEADLINE} s")
    return f"{'; '.join(told)}; {total['codes']}; the longest of {DEADLINE} s took {longest:.2f} s"


if __name__ == "__main__":
    namespaces.main(pathlib.Path(__file__), __doc__, case, BOUND)
