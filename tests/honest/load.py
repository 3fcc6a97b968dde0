"""What is asked of a load client, and what one run of it comes to."""

import contextlib
import dataclasses
import json

import process
from connections import Watch

# What a run may take beyond its seconds: the clients give up after 20 themselves.
PATIENCE = 40
# What one call carries at the most, in bytes. Calls of a short run are a part as long,
# and those of more than four streams share what four have.
LARGEST = 64 << 20
SHORT = 8
# The messages of calls that are all cancelled, so that there are many.
UNREAD = 1000


@dataclasses.dataclass(frozen=True)
class Work:
    kind: str
    size: int
    streams: int
    # Every call of that number is cancelled after its first message.
    cancel_every: int = 0

    def __str__(self):
        text = f"{self.kind} {sized(self.size)} x{self.streams}"
        cancels = {0: "", 1: ", all cancelled"}
        return text + cancels.get(self.cancel_every, f", 1 of {self.cancel_every} cancelled")

    def flags(self, longest, short):
        messages = min(longest, LARGEST // self.size) * 4 // max(4, self.streams)
        if short:
            messages //= SHORT
        if self.cancel_every == 1:
            messages = min(messages, UNREAD)
        return [
            f"--work={self.kind}",
            f"--size={self.size}",
            f"--streams={self.streams}",
            f"--cancel_every={self.cancel_every}",
            f"--messages={max(4, messages)}",
        ]


def sized(size):
    for unit, factor in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size >= factor:
            return f"{size // factor} {unit}"
    return f"{size} B"


PLAIN = [(1, 4), (1 << 10, 16), (64 << 10, 4), (1 << 20, 2)]
CANCELS = [(1 << 10, 8, 2), (64 << 10, 4, 2)]
KINDS = ["download", "upload", "bidi"]

WHOLE = [
    *(Work(kind, *shape) for kind in KINDS for shape in PLAIN),
    *(Work(kind, *shape) for kind in KINDS for shape in CANCELS),
    # Those that want the first message alone. An upload is not among them, since a
    # server that has not answered cannot tell it from an attack.
    *(Work(kind, 1 << 10, 4, 1) for kind in ("download", "bidi")),
]
BRIEF = [
    Work("download", 1, 4),
    Work("download", 1 << 20, 2),
    Work("upload", 1, 4),
    Work("bidi", 1 << 10, 4),
    Work("download", 1 << 10, 4, 2),
    Work("bidi", 1 << 10, 4, 2),
]
# Behind a proxy there are three parties to wait for.
PROXIED = [
    *(Work(kind, *shape) for kind in KINDS for shape in PLAIN),
    *(Work(kind, *shape) for kind in ("download", "bidi") for shape in CANCELS),
]
PROXIED_BRIEF = [
    Work("download", 1, 4),
    Work("upload", 64 << 10, 4),
    Work("bidi", 1 << 10, 4),
    Work("download", 1 << 10, 4, 2),
]


@dataclasses.dataclass
class Outcome:
    messages: int = 0
    bytes: int = 0
    seconds: float = 0
    # The memory that our side took at its peak, where that was watched.
    peak: int = 0
    # Why it failed, or nothing.
    why: str = ""


def run(server, client, flags, seconds, hop=None, env=None):
    """Has a client call a server, through what `hop` puts in between.

    `server` and `client` are commands, `flags` what the client is asked for.
    """
    hop = hop or contextlib.nullcontext
    with process.serving(server, env) as address, hop(address.rpartition(":")[2]) as port:
        with Watch(int(port)) as watch:
            command = [*client, f"--server_port={port}", f"--seconds={seconds}", *flags]
            printed, code = process.run(command, seconds + PATIENCE, env)
    outcome = told(printed, code)
    if not outcome.why and watch.count != 1:
        outcome.why = f"the client made {watch.count} connections, not 1"
    return outcome


def told(printed, code):
    """What a load client's last line says."""
    last = (printed.strip().splitlines() or ["it said nothing"])[-1]
    try:
        line = json.loads(last)
        outcome = Outcome(line["messages"], line["bytes"], line["seconds"])
        failures = line["failures"]
    except (ValueError, TypeError, KeyError):
        return Outcome(why=f"{last} ({code})")
    if failures:
        # Of those that a lost connection took along, few may say why it was lost.
        first = next((text for text in failures if "GOAWAY" in text), failures[0])
        more = f" (and {len(failures) - 1} calls more)" if len(failures) > 1 else ""
        outcome.why = f"{first}{more}"
    elif code != 0:
        outcome.why = f"it ended with {code}"
    elif outcome.messages == 0:
        outcome.why = "no message came"
    return outcome
