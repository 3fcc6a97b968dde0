"""Programs that end: in time, and at the latest with this one.

Each runs in a process group of its own, which is killed as a whole.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading

# What a server may take to listen, in seconds.
START = 60

_running = set()


def kill(process):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _ended(number, _frame):
    for process in list(_running):
        kill(process)
    os._exit(128 + number)


def end_with_us():
    """Whatever ends this program by a signal ends what it started."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _ended)


@contextlib.contextmanager
def started(command, env=None, stderr=None, stdin=None):
    """A process, and its group until the block ends."""
    process = subprocess.Popen(
        [str(part) for part in command],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        env={**os.environ, **(env or {})},
        start_new_session=True,
    )
    _running.add(process)
    try:
        yield process
    finally:
        kill(process)
        process.wait()
        process.stdout.close()
        if process.stdin:
            process.stdin.close()
        _running.discard(process)


@contextlib.contextmanager
def serving(command, env=None):
    """Runs a server and gives the address that it prints."""
    with listening(command, env) as (_, address):
        yield address


@contextlib.contextmanager
def listening(command, env=None, stderr=None, stdin=None):
    """Runs a server and gives its process, and the address that it prints."""
    with started(command, env, stderr, stdin) as server:
        # Without a line in time the server is ended, and with it the wait.
        timer = threading.Timer(START, kill, [server])
        timer.start()
        line = server.stdout.readline().strip()
        timer.cancel()
        if not line.startswith("listening on "):
            raise RuntimeError(f"{command[0]} did not listen: '{line}'")
        yield server, line.removeprefix("listening on ")


def run(command, bound, env=None):
    """What a program prints, and how it ended: an exit code, or words."""
    with started(command, env, stderr=subprocess.STDOUT) as program:
        try:
            printed, _ = program.communicate(timeout=bound)
            return printed, program.returncode
        except subprocess.TimeoutExpired:
            kill(program)
            printed, _ = program.communicate()
            return printed, f"killed after {bound} s"


def must(command, bound=600, env=None):
    """Runs a step that has to succeed, and gives what it prints."""
    printed, code = run(command, bound, env)
    if code != 0:
        sys.stderr.write(printed)
        raise RuntimeError(f"{command[0]} ended with {code}")
    return printed
