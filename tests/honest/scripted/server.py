"""An interop server, as much of it as load clients call, that gives back credit as its
`--habit` is."""

import argparse
import socket
import sys
import threading

import wire
from connection import HABITS, Connection, Lost, Stream

SERVICE = "/grpc.testing.TestService/"
OK, UNIMPLEMENTED = "0", "12"


class Call(Stream):
    sum = 0
    status = OK


class Server(Connection):
    def __init__(self, sock, habit):
        super().__init__(sock, habit)
        self.begun = 0
        self.preface = len(wire.PREFACE)
        self.output += wire.frame(wire.SETTINGS, 0, 0)

    def receive(self):
        if self.preface:
            size = min(self.preface, len(self.input))
            del self.input[:size]
            self.preface -= size
        super().receive()

    def on_begin(self, number):
        if number <= self.begun:
            return None
        self.begun = number
        call = self.streams[number] = Call(number, self.stream_window)
        fields = [(":status", "200"), ("content-type", "application/grpc")]
        self.output += self.head(number, fields)
        return call

    def method(self, call):
        return call.fields.get(":path", "").removeprefix(SERVICE)

    def on_message(self, call, message):
        method = self.method(call)
        if method == "StreamingInputCall":
            call.sum += wire.body(message, 1)
        elif method in ("StreamingOutputCall", "FullDuplexCall"):
            for size in wire.sizes(message):
                call.push(wire.framed(wire.payload(1, size)))
        else:
            call.status = UNIMPLEMENTED

    def on_end(self, call):
        if self.method(call) == "StreamingInputCall":
            call.push(wire.framed(wire.number(1, call.sum)))
        call.finishing = True

    def ending(self, call):
        del self.streams[call.number]
        return self.head(call.number, [("grpc-status", call.status)], wire.END_STREAM)

    def on_reset(self, call, code):
        """The client cancelled, and nobody asks for the answer."""


def serve(sock, habit):
    with sock:
        server = Server(sock, habit)
        try:
            while True:
                server.turn()
        except Lost as lost:
            if lost.code:
                print(f"a connection ended: {lost}", file=sys.stderr)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--habit", choices=HABITS, default="frames")
    flags = parser.parse_args()
    with socket.create_server(("127.0.0.1", flags.port)) as listener:
        print(f"listening on 127.0.0.1:{listener.getsockname()[1]}", flush=True)
        while True:
            sock, _ = listener.accept()
            threading.Thread(target=serve, args=(sock, flags.habit), daemon=True).start()


if __name__ == "__main__":
    main()
