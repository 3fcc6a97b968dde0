"""Scripts that run in namespaces of their own, which takes no rights: a network in which
addresses and ports are theirs, and mounts that nobody else sees.
"""

import argparse
import pathlib
import shutil
import subprocess
import sys

import process
import programs

# A user, who is root in there, a network, and mounts.
COMMAND = ["unshare", "--map-root-user", "--net", "--mount"]


class LeftOut(Exception):
    """This machine cannot do it."""


def check():
    """Says why this machine has no namespaces for us, if so."""
    for program in ("unshare", "ip", "nsenter"):
        if shutil.which(program) is None:
            raise LeftOut(f"there is no '{program}' (Debian: util-linux, iproute2)")
    up = ["ip", "link", "set", "lo", "up"]
    tried = subprocess.run([*COMMAND, *up], capture_output=True, text=True)
    if tried.returncode != 0:
        raise LeftOut(f"{' '.join([*COMMAND, *up])}: {tried.stderr.strip()}")


def run(script, binaries, whole, bound):
    """Runs a script there; gives the last line that it prints."""
    check()
    command = [*COMMAND, sys.executable, script, f"--binaries={binaries}"]
    printed, code = process.run([*command, *(["--whole"] if whole else [])], bound)
    lines = printed.splitlines()
    if code != 0 or not lines:
        raise RuntimeError(f"{script.name} ended with {code}: {printed}")
    return lines[-1]


def main(script, about, case, bound):
    """What a script is that has one case, inside and outside."""
    parser = argparse.ArgumentParser(description=about.partition("\n\n")[0])
    parser.add_argument("--whole", action="store_true")
    parser.add_argument("--binaries", type=pathlib.Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    process.end_with_us()
    if arguments.binaries:
        print(case(arguments.binaries, arguments.whole))
        return
    try:
        print(run(script, programs.build(arguments.whole), arguments.whole, bound))
    except LeftOut as reason:
        print(f"LEFT OUT: {reason}")


def ip(*arguments, prefix=()):
    subprocess.run([*prefix, "ip", *arguments], check=True)
