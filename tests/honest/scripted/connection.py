"""One end of an HTTP/2 connection, with a habit of how it gives back credit.

A turn reads what the socket has, sends what the peer has room for, one DATA frame to
a message, and tells through the methods `on_…`. No window is wider
than HTTP/2's first 65,535 bytes.
"""

import collections
import select
import socket
import struct
import time

import hpack
import wire

FRAME = 16384
# What is read from the socket at once, and held for it, at the most.
ENOUGH = 1 << 18

# `frames`: a WINDOW_UPDATE for the connection and one for the stream for every DATA
# frame, as the HTTP/2 of Dart does. `crumbs`: both of them for every read of a program
# that reads a message's 5-byte prefix, then the message, as older net/http of Go did.
HABITS = ("frames", "crumbs")


class Lost(Exception):
    """The connection ended, with an error code if the peer told one."""

    def __init__(self, why, code=None):
        super().__init__(why)
        self.code = code


class Stream:
    def __init__(self, number, window):
        self.number = number
        self.window = window
        # Messages to send, each with how many times, and the rest of the one under way.
        self.queue = collections.deque()
        self.rest = b""
        # No more messages will be queued: then goes what ends the stream.
        self.finishing = False
        # Of what comes: the part of a message that is read, and how much it lacks.
        self.part = bytearray()
        self.lacks = wire.PREFIX
        self.in_prefix = True
        self.fields = {}

    def push(self, message, times=1):
        if self.queue and self.queue[-1][0] == message:
            self.queue[-1][1] += times
        else:
            self.queue.append([message, times])

    def pop(self):
        if not self.queue:
            return b""
        first = self.queue[0]
        first[1] -= 1
        if not first[1]:
            self.queue.popleft()
        return first[0]

    def reads(self, data):
        """Each read that a program would make of data: its size, and the message that
        it completes, or None."""
        begin = 0
        while begin < len(data):
            size = min(self.lacks, len(data) - begin)
            self.part += data[begin : begin + size]
            begin += size
            self.lacks -= size
            message = None
            if self.lacks == 0 and self.in_prefix:
                self.lacks = int.from_bytes(self.part[1:], "big")
                self.in_prefix = False
                self.part.clear()
            if self.lacks == 0 and not self.in_prefix:
                message = bytes(self.part)
                self.lacks, self.in_prefix = wire.PREFIX, True
                self.part.clear()
            yield size, message


class Connection:
    def __init__(self, sock, habit):
        self.socket = sock
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.crumbs = habit == "crumbs"
        self.input = bytearray()
        self.output = bytearray()
        self.streams = {}
        # What the peer has room for: on the connection, and on a new stream.
        self.window = self.stream_window = 65535
        self.encoder, self.decoder = hpack.Encoder(), hpack.Decoder()

    def turn(self, timeout=1.0):
        """Waits for the socket, then does all that can be done."""
        wanted = [self.socket] if self.output else []
        readable, _, _ = select.select([self.socket], wanted, [], timeout)
        try:
            if readable:
                data = self.socket.recv(ENOUGH)
                if not data:
                    raise Lost("the connection was closed")
                self.input += data
                self.receive()
            self.fill()
            while self.output:
                del self.output[: self.socket.send(self.output)]
                self.fill()
        except BlockingIOError:
            pass
        except ConnectionError as error:
            raise Lost(str(error)) from error

    def linger(self, seconds):
        """Reads what is still on its way, for a GOAWAY that tells more than a reset."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.output.clear()
            self.turn(0.1)

    def receive(self):
        begin = 0
        data = bytes(self.input)
        while len(data) - begin >= wire.HEAD.size:
            size, kind, flags, number = wire.head(data, begin)
            end = begin + wire.HEAD.size + size
            if len(data) < end:
                break
            self.frame(kind, flags, number, data[begin + wire.HEAD.size : end])
            begin = end
        del self.input[:begin]

    def frame(self, kind, flags, number, payload):
        if kind == wire.DATA:
            self.data(flags, number, payload)
        elif kind == wire.WINDOW_UPDATE:
            (size,) = struct.unpack(">I", payload)
            if number == 0:
                self.window += size
            elif number in self.streams:
                self.streams[number].window += size
        elif kind == wire.HEADERS:
            self.headers(flags, number, payload)
        elif kind == wire.RST_STREAM:
            if stream := self.streams.pop(number, None):
                self.on_reset(stream, int.from_bytes(payload, "big"))
        elif kind == wire.SETTINGS and not flags & wire.ACK:
            self.settings(payload)
        elif kind == wire.PING and not flags & wire.ACK:
            self.output += wire.frame(wire.PING, wire.ACK, 0, payload)
        elif kind == wire.GOAWAY:
            _, code = struct.unpack_from(">II", payload)
            raise Lost(f"GOAWAY with code {code}: {payload[8:].decode(errors='replace')}", code)

    def settings(self, payload):
        for key, value in struct.iter_unpack(">HI", payload):
            if key == wire.INITIAL_WINDOW_SIZE:
                for stream in self.streams.values():
                    stream.window += value - self.stream_window
                self.stream_window = value
            elif key == wire.HEADER_TABLE_SIZE:
                # Its first size may become smaller, and never larger than we need.
                self.encoder.header_table_size = min(value, self.encoder.header_table_size)
        self.output += wire.frame(wire.SETTINGS, wire.ACK, 0)

    def headers(self, flags, number, block):
        if not flags & wire.END_HEADERS:
            raise Lost("a header block goes on in a second frame, which is not known here")
        padding = 0
        if flags & wire.PADDED:
            padding, block = block[0], block[1:]
        if flags & wire.PRIORITY:
            block = block[5:]
        fields = self.decoder.decode(block[: len(block) - padding])
        stream = self.streams.get(number) or self.on_begin(number)
        if stream:
            stream.fields.update(fields)
            self.on_headers(stream)
            if flags & wire.END_STREAM:
                self.on_end(stream)

    def data(self, flags, number, data):
        stream = self.streams.get(number)
        if flags & wire.PADDED:
            raise Lost("padded DATA, which is not known here")
        if not stream:
            # It was cancelled; the connection's window is for all.
            if data:
                self.output += wire.credit(0, len(data))
            return
        if data and not self.crumbs:
            self.output += wire.credit(0, len(data)) + wire.credit(number, len(data))
        for size, message in stream.reads(data):
            if self.crumbs:
                self.output += wire.credit(0, size) + wire.credit(number, size)
            if message is not None and number in self.streams:
                self.on_message(stream, message)
        if flags & wire.END_STREAM and number in self.streams:
            self.on_end(stream)

    def fill(self):
        """Queues messages, one of each stream in turn."""
        moved = True
        while moved and len(self.output) < ENOUGH:
            moved = False
            for stream in list(self.streams.values()):
                moved = self.send(stream) or moved

    def send(self, stream):
        stream.rest = stream.rest or stream.pop()
        if not stream.rest:
            if stream.finishing:
                stream.finishing = False
                self.output += self.ending(stream)
            return False
        size = min(len(stream.rest), FRAME, self.window, stream.window)
        if size <= 0:
            return False
        self.output += wire.frame(wire.DATA, 0, stream.number, stream.rest[:size])
        stream.rest = stream.rest[size:]
        stream.window -= size
        self.window -= size
        if not stream.rest:
            self.on_sent(stream)
        return True

    def head(self, number, fields, flags=0):
        block = self.encoder.encode(fields)
        return wire.frame(wire.HEADERS, flags | wire.END_HEADERS, number, block)

    def cancel(self, stream):
        del self.streams[stream.number]
        code = struct.pack(">I", wire.CANCEL)
        self.output += wire.frame(wire.RST_STREAM, 0, stream.number, code)

    # What an end of a connection makes of what happens.

    def on_begin(self, _number):
        """A stream that the peer begins, or None if that one is over."""
        return None

    def on_headers(self, stream):
        pass

    def on_sent(self, stream):
        pass
