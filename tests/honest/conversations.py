"""Conversations: few and many streams, small and large messages, readers that are
slow, bursty or absent; and the most memory that our side has meanwhile.

All calls end in order. What our process has more at its peak than before is at most
the figure of ARCHITECTURE.md, with a part of it for the allocator, and the messages
that the application itself has in hand.
"""

import dataclasses
import functools
import pathlib
import subprocess
import threading

import load
import process
from connections import Watch

KIB, MIB = 1 << 10, 1 << 20
# Of a connection: twice connection_buffer, connection_window, message_buffer and the
# largest message; and for each stream above connection_buffer / 64 KiB.
CONNECTION = (2 * 16 + 4 + 64 + 4) * MIB
FREE_STREAMS, STREAM = 256, 8 * KIB
# What a call itself has: its tasks, its state and its request.
CALL = 4 * KIB
# What a sender's stream holds besides the message in hand.
SEND_BUFFER = 64 * KIB
ALLOCATOR = 1.25
# glibc gives a large block back when it is freed, as long as this is set: otherwise it
# keeps them, up to as much again, and what we hold would not show.
GIVES_BACK = {"MALLOC_MMAP_THRESHOLD_": str(128 * KIB)}
# Messages that those have in hand who read: one each, on the threads that there are.
READING = 4

# What a run carries, if two messages a stream are not more; no shape above MOST is run.
TOTAL, MOST = 200_000_000, 800_000_000
MESSAGES, LEISURELY = 20_000, 50
# How long calls may take: clients give up 20 s later, and we another 20 s later.
SECONDS = 60
INTERVAL = 0.02

# Threads are what grpcio's client makes calls with, and its server has 32 of them:
# streams that wait to be read keep one each. net/http permits 250 streams, and all
# absent ones have to be open before the others can end.
CLIENT_STREAMS = {"grpcio": 100}
ABSENT_STREAMS = {"grpcio": 32, "net-http": 250}
# These clients read as they are told.
READS = {"grpc-go", "net-http"}
# A server that has the windows of its connection filled by requests which it does not
# read, as nobody reads its responses: the others' requests never arrive.
STUCK = {("net-http", "bidi", "absent")}


@dataclasses.dataclass(frozen=True)
class Shape:
    kind: str
    size: int
    streams: int
    reader: str = "prompt"

    def __str__(self):
        return f"{self.kind} {self.size} B x{self.streams}, {self.reader}"

    @property
    def messages(self):
        """Of a call."""
        if self.kind == "unary":
            return 1
        most = MESSAGES // self.streams if self.reader == "prompt" else LEISURELY
        return max(2, min(most, TOTAL // (self.size * self.streams)))

    @property
    def calls(self):
        if self.kind == "unary":
            return max(self.streams, min(2_000, TOTAL // self.size))
        return self.streams

    def bound(self, sends):
        """The bytes that our side may have."""
        held = READING * self.size + self.streams * CALL
        if sends:
            # Each message as it is and encoded, and what went before it.
            queue = min(SEND_BUFFER, self.size * self.messages)
            held += self.streams * (2 * self.size + queue)
        figure = CONNECTION + STREAM * max(0, self.streams - FREE_STREAMS)
        return int(figure * ALLOCATOR) + held


SIZES = [100, 10_000, 100_000, 1_000_000, 3_000_000]
STREAMS = [1, 16, 60, 256, 2_000]
KINDS = ["download", "upload", "bidi"]
UNARY = [(100, 1), (100, 1_000), (100, 20_000), (10_000, 20_000), (100_000, 1_000), (3_000_000, 60)]

WHOLE = [
    *(Shape("unary", *shape) for shape in UNARY),
    *(
        Shape(kind, size, streams, reader)
        for kind in KINDS
        for size in SIZES
        for streams in STREAMS
        for reader in ("prompt", "absent")
        if size * streams <= MOST and (streams > 1 or reader == "prompt")
    ),
    *(
        Shape(kind, size, streams, reader)
        for kind in KINDS
        for size, streams in ((100, 2_000), (100_000, 256), (100_000, 2_000), (3_000_000, 16))
        for reader in ("slow", "bursty")
    ),
]
# The hardest, each with one other and in one role.
BRIEF = [
    ("grpc-go", "we call", Shape("unary", 100, 20_000)),
    ("grpc-go", "calls us", Shape("unary", 100, 20_000)),
    ("grpc-go", "we call", Shape("download", 100_000, 2_000, "absent")),
    ("grpc-go", "calls us", Shape("upload", 100_000, 2_000, "absent")),
    ("net-http", "we call", Shape("download", 3_000_000, 60, "absent")),
    ("net-http", "calls us", Shape("upload", 3_000_000, 60, "absent")),
    ("net-http", "calls us", Shape("upload", 100, 2_000, "bursty")),
    ("grpc-go", "we call", Shape("bidi", 100_000, 256, "slow")),
    ("net-http", "calls us", Shape("bidi", 1_000_000, 60, "bursty")),
    ("grpcio", "we call", Shape("download", 3_000_000, 16, "slow")),
    ("grpcio", "calls us", Shape("upload", 1_000_000, 60, "absent")),
]
ROLES = {"we call": {"upload", "bidi", "unary"}, "calls us": {"download", "bidi", "unary"}}


def fitted(name, role, shape):
    """The shape as far as the other one can take part, or nothing."""
    streams = shape.streams
    if role == "calls us":
        streams = min(streams, CLIENT_STREAMS.get(name, streams))
        apt = shape.kind != "download" or name in READS
    else:
        if shape.reader == "absent":
            streams = min(streams, ABSENT_STREAMS.get(name, streams))
        apt = shape.kind != "upload" and (name, shape.kind, shape.reader) not in STUCK
    if shape.reader != "prompt" and not apt:
        return None
    return dataclasses.replace(shape, streams=streams)


def planned(names, short):
    """Who does what: names with roles and shapes."""
    if short:
        wanted = [row for row in BRIEF if row[0] in names]
    else:
        wanted = [(name, role, shape) for name in names for role in ROLES for shape in WHOLE]
    fits = ((name, role, fitted(name, role, shape)) for name, role, shape in wanted)
    return list(dict.fromkeys(row for row in fits if row[2]))


def runs(other, name, role, shape, binaries):
    """What runs a cell."""
    reader, calls = f"--reader={shape.reader}", f"--calls={shape.calls}"
    flags = [
        calls,
        f"--seconds={SECONDS}",
        f"--work={shape.kind}",
        f"--size={shape.size}",
        f"--streams={shape.streams}",
        f"--messages={shape.messages}",
    ]
    if role == "we call":
        server, client = other.server, [binaries / "honest_client", *flags, reader]
    else:
        server = [binaries / "slow_server", reader, calls]
        # One end alone is absent: two might wait for each other.
        reads = shape.kind == "download" and name in READS
        client = [*other.client, *flags, *([reader] if reads else [])]
    return functools.partial(run, server, client, shape, role, {**other.env, **GIVES_BACK})


def run(server, client, shape, role, env):
    with process.listening(server, env) as (serving, address):
        port = address.rpartition(":")[2]
        command = [*client, f"--server_port={port}"]
        # Whom a client calls is known only from before it begins.
        with Watch(int(port)) as watch, process.started(command, env, subprocess.STDOUT) as calling:
            with Peak(calling.pid if role == "we call" else serving.pid) as peak:
                printed, code = ended(calling, SECONDS + load.PATIENCE)
    outcome = load.told(printed, code)
    outcome.peak = peak.bytes
    bound = shape.bound(sends=shape.kind in ROLES[role])
    if outcome.why:
        return outcome
    if outcome.messages != shape.calls * shape.messages:
        outcome.why = f"{outcome.messages} messages came, not {shape.calls * shape.messages}"
    elif peak.bytes > bound:
        outcome.why = f"memory rose by {peak.bytes / 1e6:.0f} MB, and {bound / 1e6:.0f} are the most"
    elif watch.count > 1:
        outcome.why = f"the client made {watch.count} connections, not 1"
    return outcome


def ended(program, bound):
    """What a program prints, and how it ended."""
    try:
        printed, _ = program.communicate(timeout=bound)
        return printed, program.returncode
    except subprocess.TimeoutExpired:
        program.kill()
        printed, _ = program.communicate()
        return printed, f"killed after {bound} s"


class Peak:
    """Looks at a process while the block runs; then `bytes` is what it had at the most
    more than at first."""

    def __init__(self, process_id):
        self.status = pathlib.Path(f"/proc/{process_id}/status")
        self.before = self.most = 0

    def value(self, name):
        """It ends when it will: then there is nothing more to see."""
        try:
            text = self.status.read_text()
        except OSError:
            return 0
        return int((text.partition(f"{name}:")[2].split() or [0])[0]) * KIB

    def __enter__(self):
        self.before = self.value("VmRSS")
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.look)
        self.thread.start()
        return self

    def look(self):
        while not self.over.wait(INTERVAL):
            self.most = max(self.most, self.value("VmHWM"))

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        self.most = max(self.most, self.value("VmHWM"))

    @property
    def bytes(self):
        return max(0, self.most - self.before)
