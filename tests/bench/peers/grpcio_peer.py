"""gRPC's C core under Python, as a measured server and client.

Takes the words that every peer takes (src/peer/programs.rs). Messages are bytes,
put together by hand: Python's protobuf would be measured with them otherwise.
"""

import asyncio
import json
import sys
import threading
import time

import grpc

SERVICE = "bench.Bench"
NAME = b"World"
TEXT = b"Hello, World!"
OWN_CONNECTION = [("grpc.use_local_subchannel_pool", 1)]


def field(data):
    """A message whose field 1 is `data`, of less than 128 bytes."""
    return b"\x0a" + bytes([len(data)]) + data


REQUEST = field(NAME)
REPLY = field(TEXT)


def payload(size):
    length = b""
    rest = size
    while rest > 127:
        length += bytes([rest & 127 | 128])
        rest >>= 7
    return b"\x0a" + length + bytes([rest]) + b"b" * size


def count_message(value):
    message = b"\x08"
    while value > 127:
        message += bytes([value & 127 | 128])
        value >>= 7
    return message + bytes([value])


def count_of(message):
    value = 0
    for place, byte in enumerate(message[1:]):
        value |= (byte & 127) << (7 * place)
    return value


def greeting(request):
    return field(b"Hello, " + request[2:] + b"!")


def check(condition, what):
    if not condition:
        raise RuntimeError(what)


def say(line):
    print(line, flush=True)


# The server


async def hello(request, context):
    return greeting(request)


async def echo(request, context):
    return request


async def pull(request, context):
    for _ in range(count_of(request)):
        yield greeting(REQUEST)


async def push(requests, context):
    value = 0
    async for _ in requests:
        value += 1
    return count_message(value)


async def chat(requests, context):
    async for request in requests:
        yield greeting(request)


async def serve():
    handlers = {
        "Hello": grpc.unary_unary_rpc_method_handler(hello),
        "Echo": grpc.unary_unary_rpc_method_handler(echo),
        "Pull": grpc.unary_stream_rpc_method_handler(pull),
        "Push": grpc.stream_unary_rpc_method_handler(push),
        "Chat": grpc.stream_stream_rpc_method_handler(chat),
    }
    server = grpc.aio.server()
    generic = grpc.method_handlers_generic_handler(SERVICE, handlers)
    server.add_generic_rpc_handlers((generic,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()

    def wait_for_the_end():
        sys.stdin.read()
        loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    say(f"127.0.0.1:{port}")
    await ended.wait()
    await server.stop(0)


# The client


class Load:
    def __init__(self, task, connections, in_flight, count, timed):
        self.task = task
        self.connections = int(connections)
        self.in_flight = int(in_flight)
        self.count = int(count)
        self.timed = timed == "1"

    def share(self, count):
        width = self.connections * self.in_flight
        return max(1, -(-count // width))


def channel_to(address):
    return grpc.aio.insecure_channel(address, options=OWN_CONNECTION)


async def requests_of(count):
    for _ in range(count):
        yield REQUEST


async def drain(replies):
    came = 0
    async for reply in replies:
        came += 1
    return came


async def greet(channel):
    check(await channel.unary_unary(f"/{SERVICE}/Hello")(REQUEST) == REPLY, "a wrong reply")


async def connect(address):
    async with channel_to(address) as channel:
        await greet(channel)


async def work(channel, address, load, share, times):
    async def each(call):
        for _ in range(share):
            start = time.perf_counter_ns()
            await call()
            if load.timed:
                times.append(time.perf_counter_ns() - start)

    if load.task == "hello":
        method = channel.unary_unary(f"/{SERVICE}/Hello")

        async def once():
            check(await method(REQUEST) == REPLY, "a wrong reply")

        await each(once)
    elif load.task.startswith("echo-"):
        size = int(load.task.removeprefix("echo-"))
        method = channel.unary_unary(f"/{SERVICE}/Echo")

        async def once():
            sent = payload(size)
            check(len(await method(sent)) == len(sent), "a wrong size")

        await each(once)
    elif load.task == "connect":
        await each(lambda: connect(address))
    elif load.task == "pull":
        replies = channel.unary_stream(f"/{SERVICE}/Pull")(count_message(share))
        check(await drain(replies) == share, "a wrong count")
    elif load.task == "push":
        counted = await channel.stream_unary(f"/{SERVICE}/Push")(requests_of(share))
        check(count_of(counted) == share, "a wrong count")
    elif load.task == "chat":
        replies = channel.stream_stream(f"/{SERVICE}/Chat")(requests_of(share))
        check(await drain(replies) == share, "a wrong count")
    elif load.task == "ping-pong":
        call = channel.stream_stream(f"/{SERVICE}/Chat")()

        async def once():
            await call.write(REQUEST)
            check(await call.read() == REPLY, "a wrong reply")

        await each(once)
        await call.done_writing()
    else:
        raise ValueError(f"no task is called '{load.task}'")


async def run(channels, address, load, count):
    times = []
    start = time.perf_counter_ns()
    share = load.share(count)
    tasks = [
        work(channel, address, load, share, times)
        for channel in channels
        for _ in range(load.in_flight)
    ]
    await asyncio.gather(*tasks)
    outcome = {"wall_ns": time.perf_counter_ns() - start}
    times.sort()
    if times:
        for name, part in ("p50_ns", 0.5), ("p99_ns", 0.99), ("p999_ns", 0.999):
            outcome[name] = times[round((len(times) - 1) * part)]
    return outcome


async def drive(address, load):
    channels = [channel_to(address) for _ in range(load.connections)]
    for channel in channels:
        await greet(channel)
    await run(channels, address, load, load.count // 10)
    say("ready")
    sys.stdin.readline()
    say(json.dumps(await run(channels, address, load, load.count)))
    sys.stdin.read()
    for channel in channels:
        await channel.close()


def main():
    match sys.argv[1:]:
        case ["serve", *_]:
            asyncio.run(serve())
        case ["drive", _, _, address, *load]:
            asyncio.run(drive(address, Load(*load[:5])))
        case words:
            sys.exit(f"not understood: {words}")


main()
