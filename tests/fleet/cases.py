"""What is asked of a client in front of a fleet. Each case gives its numbers in words,
or raises `Wrong`.
"""

import collections
import dataclasses
import functools
import math
import pathlib
import socket
import time

import dns
import link as drill
import namespaces
import peers
from connections import Watch
from fleet import client, expect, fleet, free_port, run, target

HERE = pathlib.Path(__file__).resolve().parent
# What one step may take, in seconds, on a machine that does other things too.
STEP = 30
# A run that is ended by its case.
UNTIL_TOLD = ["--seconds=3600", "--until_eof"]
# How long a server that leaves still serves, in milliseconds.
NOTICE_MS = 500
# Who drains which channels.
DRAINED = [("pick_first", ["a"]), ("round_robin", ["a", "b", "c"])]


@dataclasses.dataclass
class Bench:
    """What the cases run with, and for how long."""

    binaries: pathlib.Path
    work: pathlib.Path
    whole: bool

    @functools.cached_property
    def python(self):
        return peers.python(self.work)

    @functools.cached_property
    def node(self):
        return peers.node(self.work)

    def ours(self, where, *flags):
        return [self.binaries / "fleet_client", f"--target={where}", *flags]

    def theirs(self, where, *flags):
        interpreter = self.python.client[0]
        return [interpreter, HERE / "grpcio_client.py", f"--target={where}", *flags]

    def pick(self, short, whole):
        return whole if self.whole else short


def sigmas(found, total, share):
    """How far a count is from its share, in standard deviations of calls by chance."""
    return abs(found - total * share) / math.sqrt(total * share * (1 - share))


def expect_even(counts, names, what):
    """Gives how far the farthest is from its share."""
    expect(set(counts) == set(names), f"{what}: {dict(counts)}, not each of {list(names)}")
    total = sum(counts.values())
    farthest = max(sigmas(count, total, 1 / len(names)) for count in counts.values())
    expect(farthest <= 3, f"{what}: {dict(counts)} are {farthest:.1f} sigma apart")
    return farthest


def summed(lines, field):
    counts = collections.Counter()
    for line in lines:
        counts.update(line[field])
    return counts


def answers(*names):
    """Whether all of a line's calls succeeded, and these servers had them."""
    return lambda line: set(line["servers"]) == set(names) and set(line["codes"]) == {"OK"}


def expect_lost(codes, most, what):
    """At most so many calls failed, all with UNAVAILABLE."""
    expect(set(codes) <= {"OK", "UNAVAILABLE"}, f"{what}: {dict(codes)}")
    lost = codes["UNAVAILABLE"]
    expect(lost <= most, f"{what}: {lost} calls were lost, and {most} ran at most")
    return lost


def even_shares(bench):
    """round_robin gives each server a third of the calls, in every thousand of them."""
    calls, concurrency = bench.pick(3_000, 60_000), 16
    flags = ["--balance=round_robin", "--servers=3", f"--calls={calls}", "--per_line=1000"]
    with fleet(bench.binaries) as servers:
        command = bench.ours(servers.target, *flags, f"--concurrency={concurrency}")
        parts, total = run(command, STEP + calls / 200)
    expect(total["codes"] == {"OK": calls}, f"{total['codes']}")
    expect(len(parts) == calls // 1000, f"{len(parts)} thousands")
    worst = max(expect_even(part["servers"], servers, "a thousand") for part in parts)
    # By turns: nothing is left to chance.
    off = max(abs(count - calls / 3) for count in total["servers"].values())
    expect(off <= concurrency, f"{total['servers']} are not turns")
    return f"{total['servers']}, a thousand at most {worst:.2f} sigma off"


def killed(bench):
    """Servers that are killed lose the calls that run on them, and no others."""
    kills, concurrency = bench.pick(3, 20), 24
    flags = ["--balance=round_robin", "--servers=3", f"--concurrency={concurrency}"]
    with fleet(bench.binaries, "--delay_ms=5") as servers:
        command = bench.ours(servers.target, *flags)
        _, before = run([*command, f"--seconds={bench.pick(2, 10)}"], STEP)
        with client([*command, *UNTIL_TOLD]) as ours:
            everyone = answers(*servers)
            place = ours.await_later(everyone, "before the first kill", STEP)
            lost = []
            for n in range(kills):
                name = list(servers)[n % 3]
                servers[name].kill()
                if n % 2:
                    # Its absence is noticed before it comes back.
                    others = answers(*(set(servers) - {name}))
                    ours.await_later(others, f"without {name}", STEP)
                servers[name].start()
                back = ours.await_later(everyone, f"after kill {n + 1}, of {name}", STEP)
                codes = summed(ours.lines[place:back], "codes")
                lost.append(expect_lost(codes, concurrency, f"kill {n + 1}"))
                place = back
            total = ours.end()
    expect_lost(total["codes"], concurrency * kills, "in all")
    expect(sum(lost) > 0, "no kill met a call")
    ratio = total["p99_us"] / before["p99_us"]
    numbers = (
        f"{total['attempts']} calls, lost by kill {lost}; p99 {before['p99_us']} us before, "
        f"{total['p99_us']} us with kills: x{ratio:.2f}"
    )
    expect(ratio <= 2 or not bench.whole, f"{numbers}, above x2")
    return numbers


def queued(bench):
    """Calls that wait for a stream on a server that is killed go to another."""
    streams, concurrency, lost = 2, 50, []
    flags = ["--balance=round_robin", f"--concurrency={concurrency}", *UNTIL_TOLD]
    with fleet(bench.binaries, "--delay_ms=5", f"--max_concurrent_streams={streams}") as servers:
        with client(bench.ours(servers.target, *flags)) as ours:
            place = ours.await_later(answers(*servers), "before the first kill", STEP)
            for name in ["a", "b", "c"] * bench.pick(1, 5):
                servers[name].kill()
                others = answers(*(set(servers) - {name}))
                ours.await_later(others, f"without {name}", STEP)
                servers[name].start()
                back = ours.await_later(answers(*servers), f"{name} is back", STEP)
                codes = summed(ours.lines[place:back], "codes")
                lost.append(expect_lost(codes, streams, f"when {name} died"))
                place = back
            ours.end()
    expect(sum(lost) > 0, "no kill met a call")
    return f"of {concurrency} calls at once, on {streams} streams a server, lost by kill {lost}"


def hung(bench):
    """A server that hangs fails calls by their deadline until keepalive finds it, 10 s
    and 1 s later; then none, until it goes on."""
    concurrency, bound = 12, 25
    flags = ["--balance=round_robin", "--servers=3", f"--concurrency={concurrency}"]
    keepalive = ["--keepalive_ms=10000", "--keepalive_timeout_ms=1000", "--timeout_ms=500"]
    with fleet(bench.binaries, "--delay_ms=5") as servers:
        command = bench.ours(servers.target, *flags, *keepalive, *UNTIL_TOLD)
        with client(command) as ours:
            hangs = ours.await_later(answers("a", "b", "c"), "all three", STEP)
            servers["c"].hang()
            began = time.monotonic()
            late = lambda line: "DEADLINE_EXCEEDED" in line["codes"]
            first = ours.await_line(late, "a call that is late", STEP, hangs)
            found = ours.await_line(answers("a", "b"), "keepalive finds it", bound, first)
            after = time.monotonic() - began
            servers["c"].go_on()
            everyone = answers("a", "b", "c")
            ours.await_later(everyone, "it goes on", STEP)
            ours.end()
    codes = summed(ours.lines[hangs:found], "codes")
    late = codes.pop("DEADLINE_EXCEEDED")
    lost = expect_lost(codes, concurrency, "when it was given up")
    # Between the two, its third of the calls is late, and no more.
    between = ours.lines[first : found - 2]
    expect(len(between) > 5, f"it was given up after {len(between)} seconds")
    counts = summed(between, "servers")
    counts["c"] += summed(between, "codes")["DEADLINE_EXCEEDED"]
    off = expect_even(counts, ["a", "b", "c"], "calls by server while one hangs")
    return f"given up within {after:.1f} s; {late} late, {off:.2f} sigma off a third; {lost} lost"


def one_at_a_time(bench):
    """pick_first has one server, and the next of the list when it dies."""
    concurrency, lost = 8, []
    with fleet(bench.binaries, "--delay_ms=2") as servers:
        flags = [f"--concurrency={concurrency}", *UNTIL_TOLD]
        with client(bench.ours(servers.target, *flags)) as ours:
            place = ours.await_later(answers("a"), "the first", STEP)
            for dies, follows in [("a", "b"), ("b", "c"), ("c", "a")] * bench.pick(1, 5):
                if dies == "c":
                    servers["a"].start()
                    servers["b"].start()
                servers[dies].kill()
                now = ours.await_later(answers(follows), f"{follows} for {dies}", STEP)
                codes = summed(ours.lines[place:now], "codes")
                lost.append(expect_lost(codes, concurrency, f"when {dies} died"))
                place = now
                if dies == "c":
                    servers["c"].start()
            total = ours.end()
    expect(sum(lost) > 0, "no kill met a call")
    return f"{total['servers']}, lost by kill {lost}"


def all_gone(bench):
    """When all servers die, calls fail at once, or wait if they are told to."""
    concurrency, told = 8, []
    for policy in bench.pick(["round_robin"], ["round_robin", "pick_first"]):
        waits = [f"--concurrency={concurrency}", "--wait_for_ready"]
        with fleet(bench.binaries, "--delay_ms=2") as servers:
            command = bench.ours(servers.target, f"--balance={policy}", *UNTIL_TOLD)
            with client(command) as hasty, client([*command, *waits]) as patient:
                calls = lambda line: set(line["codes"]) == {"OK"}
                begins = [ours.await_later(calls, policy, STEP) for ours in (hasty, patient)]
                for server in servers.values():
                    server.kill()
                fail = lambda line: set(line["codes"]) == {"UNAVAILABLE"}
                hasty.await_later(fail, f"{policy}: calls fail", STEP)
                stop = lambda line: line["attempts"] == 0
                patient.await_later(stop, f"{policy}: calls wait", STEP)
                servers["b"].start()
                for ours in (hasty, patient):
                    ours.await_later(answers("b"), f"{policy}: b is back", STEP)
                patient.end()
                hasty.end()
        codes = summed(patient.lines[begins[1] : -1], "codes")
        lost = expect_lost(codes, concurrency * len(servers), f"{policy}, calls that wait")
        hasty = summed(hasty.lines[begins[0] : -1], "codes")["UNAVAILABLE"]
        told.append(f"{policy}: {hasty} failed, or {lost} of those that wait")
    return "; ".join(told)


def drained(bench):
    """Connections that their server drains, under load: no call is lost."""
    calls, channels = bench.pick(10_000, 100_000), 50
    flags = [f"--channels={channels}", f"--concurrency={channels}", f"--calls={calls}"]
    server_flags, told = ["--delay_ms=10", "--max_connection_age_ms=1000"], []
    for policy, names in bench.pick(DRAINED[:1], DRAINED):
        with fleet(bench.binaries, *server_flags, names=names) as servers:
            command = bench.ours(servers.target, *flags, f"--balance={policy}")
            with Watch(servers["a"].port) as watch:
                _, total = run(command, STEP + calls / 200)
        expect(total["codes"] == {"OK": calls}, f"{policy}: {total['codes']}")
        many = watch.count >= 2 * channels
        expect(many, f"{policy}: there were only {watch.count} connections")
        told.append(f"{policy}: {watch.count} connections to a, {calls} calls, 0 lost")
    return "; ".join(told)


def rolling(bench):
    """Two servers that are replaced in turn, in order and on the same address, under load:
    no call is lost."""
    restarts, concurrency, told = bench.pick(3, 20), 16, []
    flags = ["--delay_ms=5", f"--notice_ms={NOTICE_MS}", "--grace_ms=5000"]
    for policy in ("round_robin", "pick_first"):
        with fleet(bench.binaries, *flags, names=["a", "b"]) as servers:
            load = [f"--balance={policy}", f"--concurrency={concurrency}", *UNTIL_TOLD]
            with client(bench.ours(servers.target, *load)) as ours:
                first = answers("a", "b") if policy == "round_robin" else answers("a")
                ours.await_later(first, f"{policy}: before the first", STEP)
                for n in range(restarts):
                    leaves, stays = ("a", "b") if n % 2 == 0 else ("b", "a")
                    what = f"{policy}, restart {n + 1}, of {leaves}"
                    cut = servers[leaves].leave()
                    expect(cut == 0, f"{what}: {cut} calls were cut")
                    ours.await_later(answers(stays), f"{what}: {stays} has all calls", STEP)
                    servers[leaves].start()
                    # pick_first stays where it is.
                    back = answers("a", "b") if policy == "round_robin" else answers(stays)
                    ours.await_later(back, f"{what}: it is back", STEP)
                total = ours.end()
        calls = sum(total["codes"].values())
        expect(total["codes"] == {"OK": calls}, f"{policy}: {total['codes']}")
        told.append(f"{policy}: {restarts} restarts, {calls} calls, 0 lost")
    return "; ".join(told)


def asked_for(bench):
    """What a server is told to do, its clients see."""
    calls, streams, delay = 1_000, 4, 10
    flags = ["--fail_percent=7", f"--delay_ms={delay}", f"--max_concurrent_streams={streams}"]
    with fleet(bench.binaries, *flags, names=["a"]) as servers:
        began = time.monotonic()
        command = bench.ours(servers.target, f"--calls={calls}", "--concurrency=40")
        _, total = run(command, STEP)
        took = time.monotonic() - began
    expected = {"OK": calls * 93 // 100, "UNAVAILABLE": calls * 7 // 100}
    expect(total["codes"] == expected, f"{total['codes']}, not {expected}")
    least = calls / streams * delay / 1000
    expect(took >= least, f"{took:.1f} s are too few for {streams} calls at once")
    return f"{total['codes']} in {took:.1f} s, {least} s at the least"


def with_grpcio(bench):
    """grpcio spreads calls over the same servers as we do, also behind an address that
    nobody answers at."""
    calls, told = bench.pick(1_500, 15_000), []
    with fleet(bench.binaries) as servers:
        ports = [server.port for server in servers.values()]
        for policy, names in (("round_robin", ["a", "b", "c"]), ("pick_first", ["a"])):
            flags = [f"--balance={policy}", f"--servers={len(names)}", f"--calls={calls}"]
            for what, there in (("", ports), (", one dead", [free_port(), *ports])):
                counts = []
                for command, env in both(bench, target(there), *flags):
                    _, total = run(command, STEP + calls / 50, env)
                    expect(total["codes"] == {"OK": calls}, f"{policy}{what}: {total['codes']}")
                    expect(set(total["servers"]) == set(names), f"{policy}{what}: {total}")
                    if len(names) > 1:
                        expect_even(total["servers"], names, f"{policy}{what}")
                    counts.append("/".join(str(total["servers"][name]) for name in names))
                told.append(f"{policy}{what}: we {counts[0]}, grpcio {counts[1]}")
    return "; ".join(told)


def both(bench, where, *flags):
    """The two clients' commands, ours first, with their environments."""
    return [(bench.ours(where, *flags), None), (bench.theirs(where, *flags), bench.python.env)]


def states(bench):
    """The states of a channel whose server dies are those of grpcio's."""
    told = []
    for policy in ("pick_first", "round_robin"):
        for dies in (while_connecting, when_connected):
            found = []
            for command, env in ((bench.ours, None), (bench.theirs, bench.python.env)):
                flags = [f"--balance={policy}", "--states"]
                connect = lambda where: client(command(where, *flags), env)
                found.append(dies(bench, connect, policy))
            ours, theirs = found
            what = f"{policy}, {dies.__name__}"
            expect(ours == theirs, f"{what}: ours {ours}, grpcio's {theirs}")
            told.append(f"{what}: {' '.join(ours)}")
    return "; ".join(told)


def while_connecting(_bench, connect, _policy):
    """The server takes the connection, and dies before it says a word."""
    with socket.create_server(("127.0.0.1", free_port())) as listener:
        listener.settimeout(STEP)
        with connect(target([listener.getsockname()[1]])) as channel:
            accepted, _ = listener.accept()
            place = reach(channel, "CONNECTING")
            listener.close()
            accepted.close()
            return path(channel, reach(channel, "TRANSIENT_FAILURE", place))


def when_connected(bench, connect, policy):
    """The server dies once it was there, and comes back. Between two states the channel
    connects, for too short a time for every client to see it."""
    with fleet(bench.binaries, names=["a"]) as servers:
        with connect(servers.target) as channel:
            place = reach(channel, "READY")
            servers["a"].kill()
            if policy == "pick_first":
                # Without a call it does not connect again.
                place = reach(channel, "IDLE", place)
            else:
                place = reach(channel, "TRANSIENT_FAILURE", place)
                servers["a"].start()
                place = reach(channel, "READY", place)
            return [state for state in path(channel, place) if state != "CONNECTING"]


def reach(channel, state, after=0):
    return channel.await_line(lambda line: line["state"] == state, state, STEP, after)


def path(channel, count):
    """The states as far as that, once the client has ended."""
    channel.end()
    return [line["state"] for line in channel.lines[:count]]


def names(bench):
    """A name whose addresses change each second, and whose server is in trouble."""
    return namespaces.run(HERE / "dns.py", bench.binaries, bench.whole, dns.BOUND)


def link(bench):
    """A link that fails without a word, and comes back."""
    return namespaces.run(HERE / "link.py", bench.binaries, bench.whole, drill.BOUND)
