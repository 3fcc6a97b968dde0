"""Runs clients against servers and prints how every case went in each direction.

matrix.py BIN, where BIN is the directory of our binaries. The generated Python code
has to be on PYTHONPATH. Ends in time whatever happens, and with 1 if anything failed.
"""

import contextlib
import pathlib
import subprocess
import sys
import threading

HERE = pathlib.Path(__file__).parent
# What a server may take to listen, and a client for all of its cases.
START, CASES = 30, 240
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


@contextlib.contextmanager
def serving(command):
    """Runs a server and gives the address that it prints."""
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    # Without a line in time the server is ended, and with it the wait.
    timer = threading.Timer(START, server.kill)
    timer.start()
    try:
        line = server.stdout.readline().strip()
        timer.cancel()
        if not line.startswith("listening on "):
            raise RuntimeError(f"{command[0]} did not listen: '{line}'")
        yield line.removeprefix("listening on ")
    finally:
        timer.cancel()
        server.terminate()
        try:
            server.wait(15)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def run(command):
    """What a client prints, as far as it came in time, and how it ended."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=CASES)
        return done.stdout, done.returncode
    except subprocess.TimeoutExpired as error:
        return (error.stdout or b"").decode(), f"a kill after {CASES} s"


def outcomes(server, client):
    """The cases of one direction: name to '' for a pass, or the reason."""
    with serving(server) as address:
        printed, code = run([*client, address])
    results = {}
    for line in printed.splitlines():
        word, _, rest = line.partition(" ")
        name, _, reason = rest.partition(": ")
        if word in ("pass", "FAIL"):
            results[name] = reason if word == "FAIL" else ""
    consistent = results and (code == 0) == (not any(results.values()))
    results[END] = "" if consistent else f"{len(results)} cases, then exit code {code}"
    return results


def example_client(server, client):
    """The example client prints what it got; it has to be all of it."""
    with serving(server) as address:
        printed, code = run([*client, address])
    good = printed == EXAMPLE_OUTPUT and code == 0
    return {"the four kinds": "" if good else f"exit code {code}, having printed {printed!r}"}


def show(columns):
    """Prints the table, and returns what is wrong in it."""
    names = list(dict.fromkeys(name for results in columns.values() for name in results))
    names.sort(key=lambda name: name == END)
    width = max(map(len, names))
    print(" " * width + "".join(f"  {title}" for title in columns))
    wrong = []
    for name in names:
        cells = f"{name:{width}}"
        for title, results in columns.items():
            reason = results.get(name, "it did not run")
            cells += f"  {'FAIL' if reason else 'pass':{len(title)}}"
            if reason:
                wrong.append(f"{title}: {name}: {reason}")
        print(cells.rstrip())
    print()
    return wrong


def main():
    binaries = pathlib.Path(sys.argv[1])
    python_server = [sys.executable, HERE / "hello_server.py"]
    python_client = [sys.executable, HERE / "hello_client.py"]
    rust_server = [binaries / "hello_peer", "serve"]
    rust_client = [binaries / "hello_peer", "call"]
    example_server = [binaries / "hello_server", "127.0.0.1:0"]
    wrong = show(
        {
            "Python -> Rust": outcomes(rust_server, python_client),
            "Rust -> Python": outcomes(python_server, rust_client),
            # What fails here is the case's fault, not ours.
            "Python -> Python": outcomes(python_server, python_client),
            "Rust -> Rust": outcomes(rust_server, rust_client),
        }
    )
    kinds = outcomes(example_server, [*python_client, "--kinds"])
    wrong += show({"Python -> hello_server": kinds})
    kinds = example_client(python_server, [binaries / "hello_client"])
    wrong += show({"hello_client -> Python": kinds})
    print(*wrong, sep="\n") if wrong else print("every case passed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
