"""Servers that come and go, and clients in front of them whose lines are read while
they run.
"""

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time

import process

NAMES = ["a", "b", "c"]
# What a program may take to end once it is told to, in seconds.
END = 40
# Below those that the kernel gives to clients, so that a server that is away does not
# lose its port to one.
PORTS = range(15_000, 32_000)
TRIES = 20


class Wrong(Exception):
    """What was to be proved is not so."""


def expect(holds, text):
    if not holds:
        raise Wrong(text)


def free_port():
    for port in random.sample(PORTS, TRIES):
        with socket.socket(socket.AF_INET6) as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("::", port))
            return port
    raise RuntimeError(f"of {TRIES} ports none was free")


class Server:
    """One `interop_server`, which keeps its name and its port when it comes back."""

    def __init__(self, binaries, name, flags):
        self.name = name
        self.port = free_port()
        self.command = [
            binaries / "interop_server",
            f"--port={self.port}",
            f"--server_id={name}",
            *flags,
        ]
        self.stack = contextlib.ExitStack()

    def start(self):
        self.process, _ = self.stack.enter_context(process.listening(self.command))

    def kill(self):
        """Ends it at once, and with it its connections."""
        self.stack.close()

    def leave(self):
        """Has it end in order, and gives how many calls it cut."""
        self.process.terminate()
        try:
            printed, _ = self.process.communicate(timeout=END)
        except subprocess.TimeoutExpired:
            raise Wrong(f"server {self.name} did not leave within {END} s") from None
        self.stack.close()
        code = self.process.returncode
        cut = printed.strip().removeprefix("cut ")
        expect(code == 0 and cut.isdigit(), f"server {self.name} ended with {code}: {printed}")
        return int(cut)

    def hang(self):
        os.kill(self.process.pid, signal.SIGSTOP)

    def go_on(self):
        os.kill(self.process.pid, signal.SIGCONT)


class Counting:
    """A server that tells of its connections, and how many it accepted."""

    def __init__(self, stack, command, env=None):
        self.accepted = 0
        self.process, _ = stack.enter_context(process.listening(command, env))
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        with contextlib.suppress(ValueError):
            for line in self.process.stdout:
                self.accepted += line.startswith("accepted ")


class Fleet(dict):
    """Servers by name."""

    @property
    def target(self):
        return target(server.port for server in self.values())


def target(ports):
    return "ipv4:" + ",".join(f"127.0.0.1:{port}" for port in ports)


@contextlib.contextmanager
def fleet(binaries, *flags, names=NAMES):
    """Servers that listen until the block ends."""
    servers = Fleet((name, Server(binaries, name, flags)) for name in names)
    try:
        for server in servers.values():
            server.start()
        yield servers
    finally:
        for server in servers.values():
            server.kill()


class Client:
    """A client that runs, and the lines that it has printed."""

    def __init__(self, running):
        self.process = running
        self.lines = []
        self.is_over = False
        self.changed = threading.Condition()
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self):
        try:
            for line in self.process.stdout:
                with self.changed:
                    self.lines.append(json.loads(line))
                    self.changed.notify_all()
        finally:
            with self.changed:
                self.is_over = True
                self.changed.notify_all()

    def await_line(self, fits, what, bound, after=0):
        """Waits for a line that fits, among those behind the first `after`; gives how
        many lines there are with it."""
        until = time.monotonic() + bound
        with self.changed:
            place = after
            while True:
                while place < len(self.lines):
                    place += 1
                    if fits(self.lines[place - 1]):
                        return place
                last = self.lines[-1] if self.lines else None
                expect(not self.is_over, f"{what}: the client ended after {last}")
                left = until - time.monotonic()
                expect(left > 0, f"{what}: not within {bound} s; the last line is {last}")
                self.changed.wait(left)

    def await_later(self, fits, what, bound):
        """As `await_line`, among the lines that tell of nothing before now: the one
        that comes next may."""
        return self.await_line(fits, what, bound, len(self.lines) + 1)

    def end(self):
        """Has it come to its end, and gives its last line."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        return self.total()

    def total(self, bound=END):
        """Its last line, once it has ended by itself."""
        try:
            code = self.process.wait(bound)
        except subprocess.TimeoutExpired:
            raise Wrong(f"the client did not end within {bound} s") from None
        self.reader.join()
        expect(code == 0, f"the client ended with {code}")
        return self.lines[-1]


@contextlib.contextmanager
def client(command, env=None):
    """Runs a client, until the block ends at the latest."""
    with process.started(command, env, sys.stderr, subprocess.PIPE) as running:
        ours = Client(running)
        try:
            yield ours
        finally:
            process.kill(running)
            ours.reader.join()


def run(command, bound, env=None):
    """Runs a client that ends by itself; gives the lines of its parts, and the last."""
    with client(command, env) as ours:
        total = ours.total(bound)
        return ours.lines[:-1], total
