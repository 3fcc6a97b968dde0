"""The cases of `hello_peer`, which ask more than the official ones, with grpcio;
and the examples against it."""

import process
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


def outcomes(server, client, env):
    """The cases of one direction: name to '' for a pass, or the reason."""
    with process.serving(server, env) as address:
        printed, code = process.run([*client, address], CASES, env)
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


def tables(binaries, python):
    """What each table's columns are, and what runs them."""
    interpreter = python.server[0]
    python_server = [interpreter, HERE / "python/hello_server.py"]
    python_client = [interpreter, HERE / "python/hello_client.py"]
    rust_server = [binaries / "hello_peer", "serve"]
    rust_client = [binaries / "hello_peer", "call"]
    example_server = [binaries / "hello_server", "127.0.0.1:0"]
    example = [binaries / "hello_client"]
    env = python.env
    return [
        {
            "Python -> Rust": lambda: outcomes(rust_server, python_client, env),
            "Rust -> Python": lambda: outcomes(python_server, rust_client, env),
            # What fails here is the case's fault, not ours.
            "Python -> Python": lambda: outcomes(python_server, python_client, env),
        },
        {
            "Python -> hello_server": lambda: outcomes(
                example_server, [*python_client, "--kinds"], env
            )
        },
        {"hello_client -> Python": lambda: example_client(python_server, example, env)},
    ]
