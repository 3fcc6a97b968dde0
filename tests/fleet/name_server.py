"""A name server that answers as it is told to, and counts what it is asked.

It knows one name, as the name servers of Kubernetes know those of services: by A
records, in another order each time. AAAA questions have an empty answer. It may have a
service config too, in TXT records of another name (gRFC A2).
"""

import collections
import random
import socket
import struct
import threading
import time

PORT = 53
A, TXT, AAAA = 1, 16, 28
# RFC 1035 section 4.1.1.
OK, SERVFAIL, NXDOMAIN = 0, 2, 3
# It is an answer, with authority, and recursion is to be had.
ANSWER = 0x8580
# As CoreDNS has it for services.
TTL = 5


def question(packet):
    """The name, the type, and where the question ends."""
    labels, place = [], 12
    while packet[place]:
        labels.append(packet[place + 1 : place + 1 + packet[place]].decode())
        place += 1 + packet[place]
    (kind,) = struct.unpack_from("!H", packet, place + 1)
    return ".".join(labels).lower(), kind, place + 5


def reply(packet, end, code, kind, records):
    """The records are the bytes of what they hold."""
    (number,) = struct.unpack_from("!H", packet)
    head = struct.pack("!HHHHHH", number, ANSWER | code, 1, len(records), 0, 0)
    record = lambda data: struct.pack("!HHHIH", 0xC00C, kind, 1, TTL, len(data)) + data
    return head + packet[12:end] + b"".join(map(record, records))


def strings(text):
    """A text as a TXT record has it: in strings of 255 bytes at most, here of fewer."""
    parts = [text[place : place + 100].encode() for place in range(0, len(text), 100)]
    return b"".join(bytes([len(part)]) + part for part in parts)


class Trouble:
    """What is wrong with the answers to a name."""

    def __init__(self):
        self.heal()

    def heal(self):
        """Nothing is."""
        self.code = OK
        self.delay = 0
        self.is_silent = False


class NameServer(Trouble):
    """Answers while its block runs, once in a program. `addresses`, `code`, `delay` in
    seconds and `is_silent` may be set at any time, and so may `text` and what is wrong
    with its `configs`."""

    def __init__(self, name):
        super().__init__()
        self.name = name
        self.addresses = []
        # The one TXT record beneath the name of its service config, if there is one.
        self.text = None
        self.configs = Trouble()
        # What was asked, by type and by the code of the answer.
        self.asked = collections.Counter()

    def __enter__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", PORT))
        threading.Thread(target=self.serve, daemon=True).start()
        return self

    def __exit__(self, *_):
        """Its thread ends with the program."""

    def serve(self):
        while True:
            packet, sender = self.socket.recvfrom(512)
            threading.Thread(target=self.answer, args=(packet, sender), daemon=True).start()

    def answer(self, packet, sender):
        name, kind, end = question(packet)
        trouble = {self.name: self, f"_grpc_config.{self.name}": self.configs}.get(name)
        code = NXDOMAIN if trouble is None else trouble.code
        records = []
        if code == OK and trouble is self and kind == A:
            records = [socket.inet_aton(address) for address in self.addresses]
        if code == OK and trouble is self.configs and kind == TXT and self.text is not None:
            records = [strings(self.text)]
        is_silent = trouble is not None and trouble.is_silent
        self.asked[kind, "silence" if is_silent else code] += 1
        if is_silent:
            return
        if trouble is not None:
            time.sleep(trouble.delay)
        answer = reply(packet, end, code, kind, random.sample(records, len(records)))
        self.socket.sendto(answer, sender)
