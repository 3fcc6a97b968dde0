"""The cases of `hello_peer`, which ask more than the official ones, with grpcio,
in plain text and over TLS; and the examples against it."""

import functools

import process
import security
from peers import HERE

# What a client may take for all of its cases, in seconds.
CASES = 240
END = "ran to the end"

EXAMPLE_OUTPUT = """\
SayHello: Hello, World!
LotsOfReplies: Hello, World!
LotsOfReplies: Bonjour, World!
LotsOfReplies: Hallo, World!
LotsOfReplies: Hola, World!
LotsOfReplies: Ciao, World!
LotsOfGreetings: Hello, Ada, Grace, Barbara!
BidiHello: Hello, Ada!
BidiHello: Hello, Grace!
BidiHello: Hello, Barbara!
"""


def outcomes(encryption, server, client, env):
    """The cases of one direction: name to '' for a pass, or the reason."""
    with process.serving([*server, *encryption.server], env) as address:
        command = [*client, *encryption.client, address]
        printed, code = process.run(command, CASES, env)
    results = {}
    for line in printed.splitlines():
        word, _, rest = line.partition(" ")
        name, _, reason = rest.partition(": ")
        if word in ("pass", "FAIL"):
            results[name] = reason if word == "FAIL" else ""
    consistent = results and (code == 0) == (not any(results.values()))
    results[END] = "" if consistent else f"{len(results)} cases, then {code}: {printed[-300:]}"
    return results


def example_client(server, client, env):
    """The example client prints what it got; it has to be all of it."""
    with process.serving(server, env) as address:
        printed, code = process.run([*client, address], CASES)
    good = printed == EXAMPLE_OUTPUT and code == 0
    return {"the four kinds": "" if good else f"exit code {code}, having printed {printed!r}"}


def tables(binaries, python, encryptions):
    """What each table's columns are, and what runs them. A column's key is the
    direction, and the encryption where there is a choice."""
    interpreter = python.server[0]
    python_server = [interpreter, HERE / "python/hello_server.py"]
    python_client = [interpreter, HERE / "python/hello_client.py"]
    rust_server = [binaries / "hello_peer", "serve"]
    rust_client = [binaries / "hello_peer", "call"]
    example_server = [binaries / "hello_server", "127.0.0.1:0"]
    example = [binaries / "hello_client"]
    env = python.env
    directions = {
        "Python -> Rust": (rust_server, python_client),
        "Rust -> Python": (python_server, rust_client),
        # What fails here is the case's fault, not ours.
        "Python -> Python": (python_server, python_client),
    }
    finer = {
        (direction, encryption.name): functools.partial(outcomes, encryption, *ends, env)
        for direction, ends in directions.items()
        for encryption in encryptions
    }
    kinds = functools.partial(
        outcomes, security.PLAIN, example_server, [*python_client, "--kinds"], env
    )
    printed = functools.partial(example_client, python_server, example, env)
    return [finer, {("Python -> hello_server",): kinds}, {("hello_client -> Python",): printed}]
