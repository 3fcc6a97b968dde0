"""A name server that answers as it is told to, and counts what it is asked.

It knows one name, as the name servers of Kubernetes know those of services: by A
records, in another order each time. AAAA questions have an empty answer.
"""

import collections
import random
import socket
import struct
import threading
import time

PORT = 53
A, AAAA = 1, 28
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


def reply(packet, end, code, addresses):
    (number,) = struct.unpack_from("!H", packet)
    head = struct.pack("!HHHHHH", number, ANSWER | code, 1, len(addresses), 0, 0)
    record = lambda address: struct.pack("!HHHIH", 0xC00C, A, 1, TTL, 4) + socket.inet_aton(address)
    return head + packet[12:end] + b"".join(record(address) for address in addresses)


class NameServer:
    """Answers while its block runs, once in a program. `addresses`, `code`, `delay` in seconds and `is_silent`
    may be set at any time."""

    def __init__(self, name):
        self.name = name
        self.addresses = []
        self.heal()
        # What was asked, by type and by the code of the answer.
        self.asked = collections.Counter()

    def heal(self):
        """Nothing is wrong with it."""
        self.code = OK
        self.delay = 0
        self.is_silent = False

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
        code = NXDOMAIN if name != self.name else self.code
        addresses = self.addresses if kind == A and code == OK else []
        self.asked[kind, "silence" if self.is_silent else code] += 1
        if self.is_silent:
            return
        if name == self.name:
            time.sleep(self.delay)
        answer = reply(packet, end, code, random.sample(addresses, len(addresses)))
        self.socket.sendto(answer, sender)
