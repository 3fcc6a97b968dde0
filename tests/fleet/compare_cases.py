"""What clients are compared in under one service config, and what comes of it by the
letter of gRFC A6, A58 and A76. Where another client does something else, the case says
what and why.
"""

import dataclasses
import json

SERVICE = "grpc.testing.TestService"
CODES = (
    "CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS "
    "PERMISSION_DENIED RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED OUT_OF_RANGE "
    "UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS UNAUTHENTICATED"
).split()
GRPCIO, NODE = "grpcio", "grpc-js"
BOTH, WITH_HEDGES = (GRPCIO, NODE), (NODE,)
# Longer than any call is given: who waits for it is told by the deadline.
NEVER = "15s"
PATIENCE = 10_000
# For calls that their deadline ends.
SHORT = 5_000

# Why others do otherwise, and what the gRFC says. Of grpcio's core:
NAMES = "core takes codes by name and in capitals alone; A6: as integers, and in any case"
ZERO = "core makes no attempt after 0, and hangs; A6: after exactly that delay"
BROKEN = "core takes trailers that it cannot read for a broken answer; A6: not to retry"
PLUS = "core reads a plus sign; A6: digits, a minus sign at most"
WIDE = "core reads more than 32 bits; A6: a signed 32-bit integer"
ONE_OF_TWO = "of two values the client heeds one; A6 knows one, so that two cannot be read"
WHOLE = "core reads a ratio without a point as thousandths; A6: a number"
UNCOUNTED = "core counts no call of a method without a policy; A6: regardless of the method"
NO_TOKEN = "a no after another code takes no token; A6: it counts as a failure"
# Of grpc-js:
LOOSE = "parseInt takes what begins with digits, and anything else is at once; A6: not to retry"
ROUNDS = "toFixed rounds; A6: decimal places beyond 3 are ignored"
COMMITTED = "what fails after its headers takes no token; A6: every failed RPC"


@dataclasses.dataclass
class Case:
    name: str
    config: dict
    calls: list
    # As `compare.outcome` tells it; without it our client's is what others have to have.
    wants: str | None
    clients: tuple = BOTH
    # By client: what comes of it there, and why.
    differs: dict = dataclasses.field(default_factory=dict)
    # A key of `compare.VIEWS`.
    view: str = "attempts"


def fails(code="UNAVAILABLE", **more):
    return {"code": CODES.index(code) + 1, **more}


OK, HANGS, FAILS = {}, {"hangs": True}, fails()
# A response's head by itself. The end is long after it: core takes a head that it reads
# together with a failure for none, and retries.
HEAD = {"headers": True, "delay_ms": 1_000}


def call(*steps, method="UnaryCall", timeout=PATIENCE, times=1, least=0, **more):
    """`least` is how long it takes, in milliseconds."""
    return {
        "method": method,
        "script": json.dumps(steps),
        "timeout_ms": timeout,
        "times": times,
        "least_ms": least,
        "pause_ms": 0,
        "requests": 0,
        "metadata": {},
        **more,
    }


def retry(most=4, codes=("UNAVAILABLE",), initial="0.01s", longest="0.05s", multiplier=2):
    policy = {
        "maxAttempts": most,
        "initialBackoff": initial,
        "maxBackoff": longest,
        "backoffMultiplier": multiplier,
        "retryableStatusCodes": list(codes),
    }
    return {"retryPolicy": policy}


def slow(most=4):
    """A retry policy whose own backoff nobody lives to see."""
    return retry(most, initial=NEVER, longest=NEVER)


def hedge(most=3, delay=NEVER, codes=("UNAVAILABLE",)):
    policy = {"maxAttempts": most, "nonFatalStatusCodes": list(codes)}
    return {"hedgingPolicy": {**policy, **({"hedgingDelay": delay} if delay else {})}}


def config(policy, **more):
    return {"methodConfig": [{"name": [{}], **policy}], **more}


def tokens(most, ratio):
    return {"retryThrottling": {"maxTokens": most, "tokenRatio": ratio}}


def pushback(*values, code="UNAVAILABLE"):
    return fails(code, pushback=list(values))


def each_code():
    others = [code for code in CODES if code != "UNAVAILABLE"]
    numbers = retry(codes=range(1, 17))
    small = retry(codes=[code.lower() for code in CODES])
    twice = [call(fails(code), OK) for code in CODES]
    once = [call(fails(code), OK) for code in others]
    yield Case("codes that are named", config(retry(codes=CODES)), twice, "16 x 2 OK")
    # Its whole config is invalid there, and its calls fail for that.
    differs = {GRPCIO: ("16 x 0 INVALID_ARGUMENT", NAMES)}
    yield Case("codes by number", config(numbers), twice, "16 x 2 OK", differs=differs)
    yield Case("codes in small letters", config(small), twice, "16 x 2 OK", differs=differs)
    yield Case("other codes", config(retry()), once, ", ".join(f"1 {code}" for code in others))


def most_attempts():
    for most in (2, 3, 4, 5, 6, 100):
        wants = f"{min(most, 5)} UNAVAILABLE"
        yield Case(f"maxAttempts {most}", config(retry(most)), [call(FAILS)], wants)
    grows = config(retry(3, initial="0.1s", longest="0.2s", multiplier=3))
    yield Case("backoff", grows, [call(FAILS, FAILS, OK, least=240)], "3 OK")
    late = "1 DEADLINE_EXCEEDED"
    yield Case("deadline in backoff", config(slow()), [call(FAILS, timeout=SHORT)], late)
    late = "2 DEADLINE_EXCEEDED (1 left)"
    yield Case("one deadline", config(retry()), [call(FAILS, HANGS, timeout=SHORT)], late)


def pushbacks():
    waits = {GRPCIO: ("1 DEADLINE_EXCEEDED", ZERO)}
    for value, least, differs in (("0", 0, waits), ("50", 50, {}), ("300", 300, {})):
        calls = [call(pushback(value), OK, least=least, timeout=SHORT)]
        yield Case(f"pushback '{value}'", config(slow()), calls, "2 OK", differs=differs)
    day = [call(pushback("86400000"), OK, timeout=SHORT)]
    yield Case("pushback of a day", config(retry()), day, "1 DEADLINE_EXCEEDED")
    loose, broken = {NODE: ("2 OK", LOOSE)}, ("1 INTERNAL", BROKEN)
    unreadable = {
        ("-1",): {},
        ("soon",): {GRPCIO: broken, **loose},
        ("5x",): {GRPCIO: broken, **loose},
        ("1.5",): {GRPCIO: broken, **loose},
        ("",): {GRPCIO: broken, **loose},
        ("99999999999999999999",): {GRPCIO: broken, **loose},
        ("2147483648",): {GRPCIO: ("1 DEADLINE_EXCEEDED", WIDE), **loose},
        ("+5",): {GRPCIO: ("2 OK", PLUS), **loose},
        ("5", "5"): {client: ("2 OK", ONE_OF_TWO) for client in BOTH},
    }
    for values, differs in unreadable.items():
        calls = [call(pushback(*values), OK, timeout=SHORT)]
        name = f"pushback {' and '.join(map(repr, values))}"
        yield Case(name, config(retry()), calls, "1 UNAVAILABLE", differs=differs)
    other = [call(pushback("5", code="INTERNAL"), OK)]
    yield Case("pushback, another code", config(retry()), other, "1 INTERNAL")
    last = [call(FAILS, pushback("5"), OK)]
    yield Case("pushback at the last", config(retry(2)), last, "2 UNAVAILABLE")
    # Without the reset the third would come after ten seconds and more.
    grows = config(retry(5, longest="100s", multiplier=2000))
    reset = [call(FAILS, pushback("5"), FAILS, OK)]
    yield Case("backoff after pushback", grows, reset, "4 OK")


def commits():
    output = {"method": "StreamingOutputCall"}
    alone = [call(FAILS, OK, **output)]
    yield Case("trailers only", config(retry()), alone, "2 OK with 0 responses")
    head = [call(fails(**HEAD), OK, **output)]
    yield Case("headers first", config(retry()), head, "1 UNAVAILABLE")
    message = [call(fails(messages=1, **HEAD), OK, **output)]
    yield Case("a message first", config(retry()), message, "1 UNAVAILABLE with 1 responses")
    second = [call(FAILS, fails(**HEAD), OK, **output)]
    yield Case("headers of the second", config(retry()), second, "2 UNAVAILABLE")


def streams():
    step = fails(reads=True)
    up = [call(step, step, {"reads": True}, method="StreamingInputCall", requests=3)]
    yield Case("requests that stream", config(retry()), up, "3 OK of 3, 3, 3 requests")
    both = [call(step, {"reads": True, "messages": 2}, method="FullDuplexCall", requests=3)]
    wants = "2 OK with 2 responses of 3, 3 requests"
    yield Case("both stream", config(retry()), both, wants)
    early = [call(FAILS, {"reads": True}, method="StreamingInputCall", requests=3)]
    yield Case("failed unread", config(retry()), early, "2 OK of 0, 3 requests")


def names():
    """The most special name has it, whatever their order."""
    other = {"method": "UnimplementedCall"}
    methods = [
        {"name": [{}], **retry(4)},
        {"name": [{"service": SERVICE}], **retry(3)},
        {"name": [{"service": SERVICE, "method": "UnaryCall"}], **retry(2)},
    ]
    calls = [call(FAILS), call(FAILS, method="EmptyCall"), call(FAILS, **other)]
    wants = "2 UNAVAILABLE, 3 UNAVAILABLE, 4 UNAVAILABLE"
    yield Case("names", {"methodConfig": methods}, calls, wants)
    bare = [methods[1], {"name": methods[2]["name"]}]
    wants = "1 UNAVAILABLE, 3 UNAVAILABLE, 1 UNAVAILABLE"
    yield Case("names without a policy", {"methodConfig": bare}, calls, wants)
    yield Case("no policy", {}, [call(FAILS, OK)], "1 UNAVAILABLE")


def throttles():
    policy = retry(5)
    blocks = config(policy, **tokens(4, 0.1))
    wants = "2 UNAVAILABLE, 2 x 1 UNAVAILABLE"
    yield Case("tokens run out", blocks, [call(FAILS, times=3)], wants)
    calls = [call(FAILS), call(OK), call(FAILS), call(OK, times=4), call(FAILS)]
    wants = "2 UNAVAILABLE, 1 OK, 1 UNAVAILABLE, 4 x 1 OK, 2 UNAVAILABLE"
    yield Case("tokens come back", config(policy, **tokens(4, 1.0)), calls, wants)
    differs = {GRPCIO: (f"{wants[:-15]}, 1 UNAVAILABLE", WHOLE)}
    yield Case("tokenRatio 1", config(policy, **tokens(4, 1)), calls, wants, differs=differs)
    halves = config(policy, **tokens(4, 0.5))
    calls = [call(FAILS), call(OK, times=3), call(FAILS, OK)]
    # From 2 to 3.5, and by the next failure to 2.5.
    yield Case("half tokens", halves, calls, "2 UNAVAILABLE, 3 x 1 OK, 2 OK")
    digits = config(policy, **tokens(2, 0.2509))
    calls = [call(FAILS), call(OK, times=4), call(FAILS, OK)]
    # From 1 to 2.004, which is 2, and by the next failure to 1.
    yield Case("tokens are full", digits, calls, "1 UNAVAILABLE, 4 x 1 OK, 1 UNAVAILABLE")
    thousandths = config(policy, **tokens(4, 0.3339))
    calls = [call(FAILS), call(OK, times=3), call(FAILS, OK)]
    # From 2 by three times 0.333 to 2.999, and by the next failure to 1.999: 0.3339
    # would leave 2.0017.
    wants = "2 UNAVAILABLE, 3 x 1 OK, 1 UNAVAILABLE"
    differs = {NODE: ("2 UNAVAILABLE, 3 x 1 OK, 2 OK", ROUNDS)}
    yield Case("three decimal places", thousandths, calls, wants, differs=differs)
    free = config(policy, **tokens(4, 0.1))
    calls = [call(fails("INTERNAL"), times=4), call(FAILS)]
    wants = "4 x 1 INTERNAL, 2 UNAVAILABLE"
    yield Case("other codes are free", free, calls, wants)
    calls = [call(pushback("-1", code="INTERNAL"), times=2), call(FAILS)]
    wants = "2 x 1 INTERNAL, 1 UNAVAILABLE"
    differs = {client: ("2 x 1 INTERNAL, 2 UNAVAILABLE", NO_TOKEN) for client in BOTH}
    yield Case("a no takes a token", free, calls, wants, differs=differs)
    calls = [call(fails(**HEAD), method="StreamingOutputCall", times=2), call(FAILS)]
    differs = {NODE: ("2 x 1 UNAVAILABLE, 2 UNAVAILABLE", COMMITTED)}
    wants = "3 x 1 UNAVAILABLE"
    yield Case("tokens of the committed", free, calls, wants, differs=differs)
    named = {"methodConfig": [{"name": [{"service": SERVICE, "method": "UnaryCall"}], **policy}]}
    calls = [call(FAILS), call(OK, method="EmptyCall", times=2), call(FAILS)]
    wants = "2 UNAVAILABLE, 2 x 1 OK, 2 UNAVAILABLE"
    policy = {**named, **tokens(4, 1.0)}
    differs = {GRPCIO: ("2 UNAVAILABLE, 2 x 1 OK, 1 UNAVAILABLE", UNCOUNTED)}
    yield Case("any method gives back", policy, calls, wants, differs=differs)
    calls = [call(FAILS, method="EmptyCall", times=3), call(FAILS)]
    wants = "3 x 1 UNAVAILABLE, 2 UNAVAILABLE"
    yield Case("no policy takes none", policy, calls, wants)
    calls = [call(pushback("-1"), method="EmptyCall", times=2), call(FAILS)]
    wants = "3 x 1 UNAVAILABLE"
    differs = {client: ("2 x 1 UNAVAILABLE, 2 UNAVAILABLE", NO_TOKEN) for client in BOTH}
    yield Case("a no to any method", policy, calls, wants, differs=differs)


RETRIES = [each_code, most_attempts, pushbacks, commits, streams, names, throttles]


def retries():
    return [case for part in RETRIES for case in part()]
