"""Honest traffic: other HTTP/2 implementations and ours, both ways, at full speed.

honest.py BINARIES WORK [NAME …] [--short] [--twice] [--check]

BINARIES holds our programs, WORK the others' as they are made. Nobody here attacks:
so no connection may be lost, no call may end otherwise than its client asked for, and
all that is sent arrives. Prints how each cell went. NAMEs choose who takes part, and
`conversations` is what conversations.py asks of three of them;
`--short` is a part of the cells for a second each, `--twice` runs them a second time,
and with `--check` one who cannot be installed is a failure. Ends with 1 if anything
failed.
"""

import argparse
import dataclasses
import functools
import pathlib
import sys
import time
import typing

HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "interop"), str(HERE / "scripted")]

import conversations
import load
import peers
import process
import proxies
import roster
import tools

ALWAYS = [*roster.OTHERS, *tools.TOOLS, *proxies.PROXIES]
# Those of conversations are too many to be run unasked.
NAMES = [*ALWAYS, "conversations"]
CONVERSING = ["grpcio", "grpc-go", "net-http"]
SECONDS, SHORT_SECONDS = 5, 1


@dataclasses.dataclass
class Cell:
    who: str
    role: str
    work: str
    run: typing.Callable[[], load.Outcome]


class Cells:
    """Who takes part, and what each of them does with us."""

    def __init__(self, binaries, work, short):
        self.binaries = binaries
        self.work = work
        self.short = short
        self.seconds = SHORT_SECONDS if short else SECONDS
        self.server = [binaries / "interop_server", "--port=0"]
        self.client = [binaries / "honest_client"]
        self.missing = {}

    def of(self, name):
        """One's cells: none of those who cannot be installed."""
        if name == "conversations":
            return [cell for one in CONVERSING for cell in self.conversations(one)]
        try:
            if name in roster.OTHERS:
                return self.peer(roster.OTHERS[name](self.work, self.binaries))
            if name in tools.TOOLS:
                return self.tool(name)
            return self.proxy(proxies.PROXIES[name]())
        except peers.Missing as reason:
            self.missing[name] = str(reason)
            return []

    def peer(self, other):
        who = f"{other.name} {other.version}".strip()
        works = load.BRIEF if self.short else load.WHOLE
        endured = [work for work in works if work.cancel_every != 1 or other.endures_cancels]
        return [
            *self.loads(who, "calls us", (self.server, other.client), works, other),
            *self.loads(who, "we call", (other.server, self.client), endured, other),
        ]

    def conversations(self, name):
        try:
            other = roster.OTHERS[name](self.work, self.binaries)
        except peers.Missing as reason:
            self.missing[name] = str(reason)
            return
        who = f"{other.name} {other.version}".strip()
        for row in conversations.planned([name], self.short):
            run = conversations.runs(other, *row, self.binaries)
            yield Cell(who, row[1], str(row[2]), run)

    def proxy(self, proxy):
        who = f"{proxy.name} {proxy.version}"
        other = roster.OTHERS["grpcio"](self.work, self.binaries)
        works = load.PROXIED_BRIEF if self.short else load.PROXIED
        works = [work for work in works if (work.kind, work.size) not in proxy.lacks]
        ends = (self.server, other.client), (other.server, self.client)
        return [
            *self.loads(who, "grpcio calls us", ends[0], works, other, proxy.before),
            *self.loads(who, "we call grpcio", ends[1], works, other, proxy.before),
        ]

    def loads(self, who, role, ends, works, other, hop=None):
        """A cell for each work; `ends` are a server and a client."""
        for work in works:
            flags = work.flags(other.longest, self.short)
            run = functools.partial(load.run, *ends, flags, self.seconds, hop, other.env)
            yield Cell(who, role, str(work), run)

    def tool(self, name):
        who = f"{name} {tools.find(name)}"
        cells = tools.cells(name, self.server, self.seconds, self.short)
        return [Cell(who, "calls us", work, run) for work, run in cells.items()]


def show(cell):
    """Runs a cell, prints its row, and gives what is wrong with it."""
    try:
        outcome = cell.run()
    except RuntimeError as error:
        outcome = load.Outcome(why=str(error))
    seconds = outcome.seconds or 1
    speed = f"{outcome.bytes / 1e6 / seconds:8.1f} MB/s {outcome.messages / seconds:9.0f} /s"
    row = f"{cell.who:16} {cell.role:15} {cell.work:38} {speed}"
    memory = f"{outcome.peak / 1e6:6.0f} MB " if outcome.peak else ""
    print(f"{row}  {memory}{outcome.why or 'ok'}", flush=True)
    return f"{cell.who}, {cell.role}: {cell.work}: {outcome.why}" if outcome.why else None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binaries", type=pathlib.Path)
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--twice", action="store_true")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_intermixed_args()
    for name in arguments.names:
        if name not in NAMES:
            parser.error(f"'{name}' is none of {', '.join(NAMES)}")
    process.end_with_us()

    began = time.monotonic()
    all = Cells(arguments.binaries.resolve(), arguments.work.resolve(), arguments.short)
    cells = [cell for name in arguments.names or ALWAYS for cell in all.of(name)]
    for name, reason in all.missing.items():
        print(f"without {name}: {reason}")
    print(f"{len(cells)} cells, after {time.monotonic() - began:.0f} s\n", flush=True)

    wrong = [show(cell) for _ in range(2 if arguments.twice else 1) for cell in cells]
    wrong = [reason for reason in wrong if reason]
    print(f"\n{len(wrong)} failed, after {time.monotonic() - began:.0f} s", *wrong, sep="\n")
    if arguments.check and all.missing:
        print("and not all took part")
        return 1
    return 1 if wrong or not cells else 0


if __name__ == "__main__":
    sys.exit(main())
