"""Cases of the comparison: hedges by the letter of gRFC A6, and which of several
servers a call goes to by A42 and A58. grpcio has no hedges, and grpc-js no ring.
"""

from compare_cases import (
    FAILS,
    GRPCIO,
    HANGS,
    HEAD,
    LOOSE,
    NODE,
    OK,
    SERVICE,
    SHORT,
    WITH_HEDGES,
    Case,
    call,
    config,
    fails,
    hedge,
    pushback,
    tokens,
)

# Why grpc-js does otherwise, and what the gRFC says.
ENDS = "a hedge's no ends the call; A6: no more hedges, and those that run go on"
UNTHROTTLED = "hedges need no tokens; A6: throttling also applies to hedges"
RING = {"ring_hash_experimental": {"requestHashHeader": "x-key"}}
WEIGHTED = {"weighted_round_robin": {"blackoutPeriod": "0s", "weightUpdatePeriod": "0.1s"}}


def case(name, policy, calls, wants, **more):
    return Case(name, policy, calls, wants, clients=WITH_HEDGES, **more)


def delays():
    for delay in ("0s", None):
        policy = config(hedge(3, delay))
        calls = [call(HANGS, HANGS, OK)]
        yield case(f"hedges after {delay or 'no delay'}", policy, calls, "3 OK (2 left)")
    calls = [call(HANGS, HANGS, OK, least=200)]
    yield case("hedges after 0.1s", config(hedge(3, "0.1s")), calls, "3 OK (2 left)")
    yield case("no hedge is needed", config(hedge()), [call(OK)], "1 OK")
    calls = [call(HANGS, timeout=SHORT)]
    late = "3 DEADLINE_EXCEEDED (3 left)"
    yield case("hedges and a deadline", config(hedge(3, "0.01s")), calls, late)
    for most in (2, 5, 9):
        calls = [call(*[HANGS] * min(most - 1, 4), OK)]
        wants = f"{min(most, 5)} OK ({min(most, 5) - 1} left)"
        yield case(f"hedges, maxAttempts {most}", config(hedge(most, "0s")), calls, wants)


def codes():
    fatal = fails("INTERNAL")
    yield case("a fatal code", config(hedge()), [call(fatal, OK)], "1 INTERNAL")
    calls = [call(HANGS, fatal)]
    yield case("a hedge's fatal code", config(hedge(2, "0.05s")), calls, "2 INTERNAL (1 left)")
    yield case("a non-fatal code", config(hedge()), [call(FAILS, OK)], "2 OK")
    yield case("all non-fatal", config(hedge()), [call(FAILS)], "3 UNAVAILABLE")
    yield case("no non-fatal codes", config(hedge(codes=())), [call(FAILS)], "1 UNAVAILABLE")
    calls = [call({"delay_ms": 2_000}, FAILS)]
    yield case("the first outlives its hedge", config(hedge(2, "0.05s")), calls, "2 OK")
    # The first fails in the midst of the delay, and the second takes longer than what is
    # left of that, and less than another one.
    calls = [call(OK), call(fails(delay_ms=1_500), {"delay_ms": 2_200}, OK)]
    yield case("delay after a non-fatal code", config(hedge(3, "3s")), calls, "1 OK, 2 OK")


def pushbacks():
    calls = [call(pushback("-1"), OK)]
    yield case("hedges, pushback '-1'", config(hedge()), calls, "1 UNAVAILABLE")
    calls = [call({"delay_ms": 3_500}, pushback("-1"), OK)]
    differs = {NODE: ("2 UNAVAILABLE (1 left)", ENDS)}
    policy = config(hedge(3, "1s"))
    yield case("a hedge's pushback '-1'", policy, calls, "2 OK", differs=differs)
    for value, least in (("0", 0), ("200", 200)):
        calls = [call(pushback(value), OK, least=least)]
        yield case(f"hedges, pushback '{value}'", config(hedge()), calls, "2 OK")
    calls = [call(pushback("soon"), OK)]
    differs = {NODE: ("2 OK", LOOSE)}
    wants = "1 UNAVAILABLE"
    yield case("hedges, pushback 'soon'", config(hedge()), calls, wants, differs=differs)


def throttled():
    policy = config(hedge(5), **tokens(4, 0.1))
    wants = "2 UNAVAILABLE, 1 UNAVAILABLE"
    differs = {NODE: ("2 x 5 UNAVAILABLE", UNTHROTTLED)}
    calls = [call(FAILS, times=2)]
    yield case("hedges, tokens run out", policy, calls, wants, differs=differs)
    named = [{"name": [{"service": SERVICE, "method": "EmptyCall"}], **hedge(5)}]
    policy = {"methodConfig": [*config(hedge(2, "0.05s"))["methodConfig"], *named]}
    calls = [call(FAILS, method="EmptyCall"), call({"delay_ms": 1_000}, OK)]
    wants = "2 UNAVAILABLE, 1 OK"
    differs = {NODE: ("5 UNAVAILABLE, 2 OK (1 left)", UNTHROTTLED)}
    policy |= tokens(4, 0.1)
    yield case("no hedge without tokens", policy, calls, wants, differs=differs)


def commits():
    output = {"method": "StreamingOutputCall"}
    calls = [call(HANGS, fails(**HEAD), **output)]
    wants = "2 UNAVAILABLE (1 left)"
    yield case("headers of a hedge", config(hedge(2, "0.05s")), calls, wants)
    step = {"headers": True, "delay_ms": 2_500}
    calls = [call(OK, **output), call(step, OK, **output)]
    wants = "2 x 1 OK with 0 responses"
    yield case("no hedge after headers", config(hedge(2, "2s")), calls, wants)
    up = {"method": "StreamingInputCall", "requests": 3}
    read = {"reads": True}
    calls = [call({**read, **HANGS}, read, **up)]
    wants = "2 OK (1 left) of 3 requests"
    yield case("hedges that stream", config(hedge(2, "0.3s")), calls, wants)


HEDGES = [delays, codes, pushbacks, throttled, commits]


def hedges():
    return [case for part in HEDGES for case in part()]


def shares():
    """Several servers."""
    calls = [call(OK, times=200, metadata={"x-key": "key-{}"})]
    policy = {"loadBalancingConfig": [RING]}
    yield Case("ring_hash", policy, calls, None, clients=(GRPCIO,), view="ring")
    # Without grpc-js 1.14.7, which nobody could compare: it knows the fields in JSON by
    # their names in protobuf alone, of the load application_utilization alone, and while
    # one weight is known that server has nearly all calls (A58: turns, below two).
    policy = {"loadBalancingConfig": [WEIGHTED]}
    for what in ("application", "cpu"):
        # Time for all three to be connected, and to tell.
        tells = call({f"{what}_use": [0.2, 0.4, 0.8]}, times=6, pause_ms=300)
        calls = [tells, tells, tells, call(OK, times=350, pause_ms=500)]
        wants = "shares 4 to 2 to 1"
        yield Case(f"weights by {what}", policy, calls, wants, clients=(GRPCIO,), view="shares")
