"""HTTP/2's frames, gRPC's prefix, and the few fields of grpc.testing's messages that
load needs, by hand."""

import functools
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
# Flags; for SETTINGS and PING the first is ACK.
END_STREAM = ACK = 0x1
END_HEADERS, PADDED, PRIORITY = 0x4, 0x8, 0x20
HEADER_TABLE_SIZE, INITIAL_WINDOW_SIZE = 1, 4
CANCEL = 8

HEAD = struct.Struct(">HBBBI")
PREFIX = 5


def frame(kind, flags, stream, payload=b""):
    size = len(payload)
    return HEAD.pack(size >> 8, size & 0xFF, kind, flags, stream) + payload


def head(data, begin):
    """A frame's length, kind, flags and stream."""
    high, low, kind, flags, stream = HEAD.unpack_from(data, begin)
    return high << 8 | low, kind, flags, stream & 0x7FFFFFFF


@functools.lru_cache(maxsize=4096)
def credit(stream, size):
    return frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", size))


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field, value):
    return varint(field << 3) + varint(value)


def text(field, value):
    return varint(field << 3 | 2) + varint(len(value)) + value


def payload(field, size):
    """A Payload, whose body is its field 2, as a field of its message."""
    return text(field, text(2, bytes(size)))


def framed(message):
    return struct.pack(">BI", 0, len(message)) + message


def fields(message):
    """The number of each field, with its value."""
    begin = 0

    def read():
        nonlocal begin
        value = shift = 0
        while True:
            byte = message[begin]
            begin += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    while begin < len(message):
        tag = read()
        value = read()
        if tag & 7 == 2:
            begin, value = begin + value, message[begin : begin + value]
        yield tag >> 3, value


@functools.lru_cache(maxsize=16)
def body(message, field):
    """How long the body is of the Payload that a field holds."""
    held = dict(fields(message)).get(field, b"")
    return len(dict(fields(held)).get(2, b""))


@functools.lru_cache(maxsize=16)
def sizes(request):
    """What a StreamingOutputCallRequest asks for."""
    parameters = [value for field, value in fields(request) if field == 2]
    return tuple(dict(fields(one)).get(1, 0) for one in parameters)
