"""How many connections a client makes, by the kernel's table.

A client that loses its connection may well make another and say nothing.
"""

import pathlib
import threading

TABLES = [pathlib.Path("/proc/net/tcp"), pathlib.Path("/proc/net/tcp6")]
LISTEN = "0A"
# One that ended in order stays in the table for a minute, one that was reset does not.
INTERVAL = 0.1


def clients(port):
    """The ports from which that one is called, or was a minute ago."""
    found = set()
    for table in TABLES:
        if not table.exists():
            continue
        for line in table.read_text().splitlines()[1:]:
            _, local, remote, state, *_ = line.split()
            here, there = (int(end.rpartition(":")[2], 16) for end in (local, remote))
            if state == LISTEN:
                continue
            if here == port:
                found.add(there)
            elif there == port:
                found.add(here)
    return found


class Watch:
    """Looks while the block runs; then `count` is how many there were."""

    def __init__(self, port):
        self.port = port
        self.count = 0

    def __enter__(self):
        self.before = clients(self.port)
        self.found = set()
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.look)
        self.thread.start()
        return self

    def look(self):
        while not self.over.wait(INTERVAL):
            self.found |= clients(self.port)

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        self.found |= clients(self.port)
        self.count = len(self.found - self.before)
