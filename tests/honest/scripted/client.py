"""A load client of an interop server that gives back credit as its `--habit` is.

Repeats one kind of call on one connection until the time is up, and prints a line of
JSON. Ends with 1 if a call did not end as it should.
"""

import argparse
import json
import socket
import sys
import time

import wire
from connection import HABITS, Connection, Lost, Stream

# What a call may take after the time is up, before it counts as stuck.
PATIENCE = 20
METHODS = {
    "download": "StreamingOutputCall",
    "upload": "StreamingInputCall",
    "bidi": "FullDuplexCall",
}


class Call(Stream):
    def __init__(self, number, window, count, cancel):
        super().__init__(number, window)
        self.count = count
        self.cancel = cancel
        self.came = 0
        self.sum = 0


class Client(Connection):
    def __init__(self, sock, flags):
        super().__init__(sock, flags.habit)
        self.flags = flags
        self.calls = self.cancelled = self.messages = self.bytes = 0
        self.failures = []
        self.response = wire.payload(1, flags.size)
        parameters = wire.text(2, wire.number(1, flags.size))
        self.request, self.times = {
            "download": (wire.framed(parameters * flags.messages), 1),
            "upload": (wire.framed(wire.payload(1, flags.size)), flags.messages),
            "bidi": (wire.framed(parameters + wire.payload(3, flags.size)), flags.messages),
        }[flags.work]
        self.output += wire.PREFACE + wire.frame(wire.SETTINGS, 0, 0)

    def run(self):
        began = time.monotonic()
        self.until = began + self.flags.seconds
        try:
            for _ in range(self.flags.streams):
                self.begin()
            while self.streams:
                self.turn()
                if time.monotonic() > self.until + PATIENCE:
                    self.failures.append(f"{len(self.streams)} calls did not end")
                    break
        except Lost as lost:
            self.lose(lost)
        return time.monotonic() - began

    def lose(self, lost):
        """What the peer said last may come behind the failure to write."""
        self.until = 0
        try:
            self.linger(1)
        except Lost as said:
            lost = lost if said.code is None else said
        for call in self.streams.values():
            self.failures.append(f"call {call.count}: {lost}, after {call.came} messages")

    def begin(self):
        if time.monotonic() >= self.until:
            return
        self.calls += 1
        every = self.flags.cancel_every
        cancel = every > 0 and self.calls % every == 0
        call = Call(self.calls * 2 - 1, self.stream_window, self.calls, cancel)
        self.streams[call.number] = call
        fields = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", f"/grpc.testing.TestService/{METHODS[self.flags.work]}"),
            (":authority", "localhost"),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
        ]
        self.output += self.head(call.number, fields)
        call.push(self.request, self.times)
        call.finishing = True

    def ending(self, call):
        return wire.frame(wire.DATA, wire.END_STREAM, call.number)

    def stop(self, call):
        self.cancel(call)
        self.cancelled += 1
        self.begin()

    def on_sent(self, call):
        if call.cancel and self.flags.work == "upload":
            self.messages += 1
            self.bytes += self.flags.size
            self.stop(call)

    def on_message(self, call, message):
        if self.flags.work == "upload":
            call.sum = dict(wire.fields(message)).get(1, 0)
            return
        # Some write fields that others leave out.
        if message != self.response and wire.body(message, 1) != self.flags.size:
            self.failures.append(f"call {call.count}: another message came")
            self.cancel(call)
            return
        call.came += 1
        self.messages += 1
        self.bytes += self.flags.size
        if call.cancel:
            self.stop(call)

    def on_end(self, call):
        """A stream ends with its first failure, as most failures are the connection's."""
        del self.streams[call.number]
        wrong = self.wrong(call)
        if wrong:
            self.failures.append(f"call {call.count}: {wrong}")
            return
        if self.flags.work == "upload":
            self.messages += self.flags.messages
            self.bytes += call.sum
        self.begin()

    def wrong(self, call):
        status = call.fields.get("grpc-status")
        if status != "0":
            return f"grpc-status {status}: {call.fields.get('grpc-message')}"
        if self.flags.work == "upload":
            expected = self.flags.size * self.flags.messages
            return "" if call.sum == expected else f"{call.sum} of {expected} bytes came"
        whole = call.came == self.flags.messages or call.cancel
        return "" if whole else f"{call.came} of {self.flags.messages} messages came"

    def on_reset(self, call, code):
        self.failures.append(f"call {call.count}: reset with code {code}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server_port", type=int, required=True)
    parser.add_argument("--work", choices=METHODS, default="download")
    parser.add_argument("--habit", choices=HABITS, default="frames")
    for name, default in (
        ("size", 1024),
        ("messages", 1000),
        ("streams", 1),
        ("seconds", 5),
        ("cancel_every", 0),
    ):
        parser.add_argument(f"--{name}", type=int, default=default)
    flags = parser.parse_args()
    with socket.create_connection(("127.0.0.1", flags.server_port)) as sock:
        client = Client(sock, flags)
        seconds = client.run()
    told = ("calls", "cancelled", "messages", "bytes", "failures")
    print(json.dumps({**{name: getattr(client, name) for name in told}, "seconds": seconds}))
    return 1 if client.failures else 0


if __name__ == "__main__":
    sys.exit(main())
