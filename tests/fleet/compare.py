#!/usr/bin/env python3
"""Our client, grpcio and grpc-js under the same service configs, in front of the same
scripted servers: how many attempts each makes, with which codes, and where calls go.

compare.py

Prints a table. Ends with 1 where our client does not do as the gRFC has it, and where
another client differs and the case does not say why, or does not differ where it says so.
`run.py` has it among its cases.
"""

import collections
import concurrent.futures
import dataclasses
import hashlib
import itertools
import json
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "interop"), str(HERE.parent / "honest")]
sys.dont_write_bytecode = True

import compare_cases
import compare_hedges
import process
from fleet import Wrong

OURS = "ours"
# What a client may take for all its cases, in seconds: they run at once.
BOUND = 60
# A server's calls may be so far from its share, in percent of all.
NEAR = 5


@dataclasses.dataclass
class Attempted:
    """One call: how it was meant, what its client tells, and the attempts that came."""

    plan: dict
    told: dict
    attempts: list


def one(call):
    """The number of attempts and the code of a call, and whatever else there is to it."""
    attempts, told = call.attempts, call.told
    text = f"{len(attempts)} {told['code']}"
    left = sum(1 for attempt in attempts if attempt["end"] is None)
    if left:
        text += f" ({left} left)"
    if told["responses"] != (told["code"] == "OK"):
        text += f" with {told['responses']} responses"
    if call.plan["requests"]:
        read = [str(attempt["requests"]) for attempt in attempts if attempt["end"]]
        text += f" of {', '.join(read)} requests"
    # Those that go out together may come in any order.
    previous = sorted(int(attempt["previous"] or 0) for attempt in attempts)
    if previous != list(range(len(attempts))):
        text += f" that say they are {previous}"
    if told["ms"] < call.plan["least_ms"]:
        text += f" after {told['ms']:.0f} ms"
    return text


def attempts(calls):
    """What came of each call; those in a row that are alike together."""
    parts = []
    for text, group in itertools.groupby(one(call) for call in calls):
        count = sum(1 for _ in group)
        parts.append(text if count == 1 else f"{count} x {text}")
    return ", ".join(parts)


def servers(calls):
    """The number of the server of each call."""
    for call in calls:
        if call.told["code"] != "OK" or len(call.attempts) != 1:
            raise Wrong(f"a call came to {one(call)}")
        yield call.attempts[0]["server"]


def ring(calls):
    """Which server each key has."""
    where = list(servers(calls))
    counts = collections.Counter(where)
    keys = hashlib.sha256(bytes(where)).hexdigest()[:8]
    return f"shares {', '.join(str(counts[n]) for n in sorted(counts))}; keys {keys}"


def shares(calls):
    """The shares of the servers in the last of several rounds of calls."""
    calls = [call for call in calls if call.plan is calls[-1].plan]
    counts = collections.Counter(servers(calls))
    found = [counts[n] * 100 / len(calls) for n in range(3)]
    for parts in ((4, 2, 1), (1, 1, 1)):
        due = [part * 100 / sum(parts) for part in parts]
        if all(abs(one - other) < NEAR for one, other in zip(found, due)):
            return f"shares {' to '.join(map(str, parts))}"
    return f"shares {', '.join(str(counts[n]) for n in range(3))}"


VIEWS = {"attempts": attempts, "ring": ring, "shares": shares}


def target(number, case, ports):
    """Each case has a name of its own for its server, as tokens belong to that."""
    if case.view == "attempts":
        return f"ipv4:127.0.0.{number + 2}:{ports[0]}"
    return "ipv4:" + ",".join(f"127.0.0.1:{port}" for port in ports)


def plan(client, cases, ports):
    """What a client is asked for, as all of them read it."""
    told = []
    clean = lambda call: {key: value for key, value in call.items() if key != "least_ms"}
    for number, case in enumerate(cases):
        if client == OURS or client in case.clients:
            calls = [clean(call) for call in case.calls]
            where = target(number, case, ports)
            told.append({"name": case.name, "target": where, "config": case.config, "calls": calls})
    warm_up = clean(compare_cases.call(compare_cases.OK))
    return {"client": client, "warm_up": warm_up, "cases": told}


def make(name, command, env, cases, ports):
    """Has a client make all its calls; gives what it tells, by case."""
    with process.started(command, env, sys.stderr, subprocess.PIPE) as client:
        asked = json.dumps(plan(name, cases, ports))
        try:
            printed, _ = client.communicate(asked, BOUND)
        except subprocess.TimeoutExpired:
            raise Wrong(f"{name} did not end within {BOUND} s") from None
        if client.returncode != 0:
            raise Wrong(f"{name} ended with {client.returncode}")
    lines = [json.loads(line) for line in printed.splitlines()]
    return {line["name"]: line["calls"] for line in lines}


def commands(bench):
    """Each client's command, with its environment."""
    # This one guards `requestHashHeader` as yet (gRFC A76).
    core = {"GRPC_EXPERIMENTAL_RING_HASH_SET_REQUEST_HASH_KEY": "true"}
    # Else they tell of each value that they cannot read.
    quiet = {"GRPC_VERBOSITY": "NONE", "NODE_NO_WARNINGS": "1"}
    return {
        OURS: ([bench.binaries / "scripted_client"], None),
        compare_cases.GRPCIO: (
            [bench.python.client[0], HERE / "grpcio_calls.py"],
            {**bench.python.env, **core, **quiet},
        ),
        compare_cases.NODE: (["node", HERE / "node_calls.js"], {**bench.node.env, **quiet}),
    }


def played(bench, cases):
    """All calls of all clients: what each told, by client and case, and the attempts
    that came, by call."""
    with process.listening([bench.binaries / "scripted_server"], stdin=subprocess.PIPE) as (
        server,
        ports,
    ):
        ports = ports.split(",")
        with concurrent.futures.ThreadPoolExecutor() as pool:
            made = {
                name: pool.submit(make, name, *command, cases, ports)
                for name, command in commands(bench).items()
            }
            told = {name: client.result() for name, client in made.items()}
        printed, _ = server.communicate(timeout=BOUND)
    came = collections.defaultdict(list)
    for attempt in json.loads(printed):
        came[attempt["call"]].append(attempt)
    return told, came


def outcome(client, case, told, came):
    """What came of a case there, as its view tells it."""
    plans = [call for call in case.calls for _ in range(call["times"])]
    calls = [
        Attempted(plan, call, came[f"{client}/{case.name}/{number}"])
        for number, (plan, call) in enumerate(zip(plans, told, strict=True))
    ]
    try:
        return VIEWS[case.view](calls)
    except Wrong as reason:
        return str(reason)


def times(client, case, came):
    """When the attempts of a client came, call by call."""
    count = sum(call["times"] for call in case.calls)
    calls = [came[f"{client}/{case.name}/{number}"] for number in range(count)]
    return "; ".join(", ".join(str(attempt["at_ms"]) for attempt in call) for call in calls)


def judged(case, found, came):
    """What is wrong, and why others may do otherwise where they do."""
    wants = case.wants or found[OURS]
    wrong, reasons = [], []
    for client, text in found.items():
        due, reason = case.differs.get(client, (wants, None))
        if text != due:
            wrong.append(f"{client} has to be: {due}")
            if case.view == "attempts":
                wrong.append(f"{client}, at ms: {times(client, case, came)}")
        elif reason:
            reasons.append(f"{client}: {reason}")
    return wrong, reasons


def rows(bench):
    """For each case what came of it, by client, what is wrong, and the reasons."""
    cases = [*compare_cases.retries(), *compare_hedges.hedges(), *compare_hedges.shares()]
    told, came = played(bench, cases)
    for case in cases:
        found = {
            client: outcome(client, case, told[client][case.name], came)
            for client in (OURS, *case.clients)
        }
        yield case, found, *judged(case, found, came)


def show(case, found, wrong, reasons):
    """A row, and lines below it for who differs."""
    others = {client: text for client, text in found.items() if text != found[OURS]}
    verdict = "WRONG" if wrong else "differs" if others else "same"
    print(f"{case.name:32} {', '.join(case.clients):16} {verdict:8} {found[OURS]}")
    for client, text in others.items():
        print(f"{'':32} {client:16} {'':8} {text}")
    for text in (*wrong, *reasons):
        print(f"{'':49} ! {text}")


def compared(bench):
    """Clients do the same under the same service config; and where not, the gRFC is on
    our side."""
    table = list(rows(bench))
    print(f"\n{'case':32} {'with':16} {'':8} attempts and codes of ours, then of who differs")
    for row in table:
        show(*row)
    wrong = [case.name for case, _, texts, _ in table if texts]
    if wrong:
        raise Wrong(f"{len(wrong)} of {len(table)} cases are wrong: {'; '.join(wrong)}")
    pairs = sum(len(case.clients) for case, *_ in table)
    differ = sum(len(reasons) for *_, reasons in table)
    return f"{len(table)} cases, {pairs} comparisons: {pairs - differ} the same, {differ} explained"


def main():
    import cases
    import programs

    process.end_with_us()
    bench = cases.Bench(programs.build(False), programs.target() / "interop", False)
    try:
        print(compared(bench))
    except Wrong as reason:
        print(reason)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
