#!/usr/bin/env python3
"""Where the instructions of a streamed message go, ours beside tonic's.

Each measured process runs under callgrind with N and with 2N messages, and the
difference over N is what one message costs: what is set up once cancels out.
Counted is user code only, no kernel. A function's cost goes to whoever wrote it,
by its own name or else by the file that was inlined into it.

`--publish` writes the table into PERFORMANCE.md. It needs valgrind, and Linux.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True

import page

HERE = pathlib.Path(__file__).resolve().parent

MESSAGES = 40_000
STREAMS = 4

# A row of PERFORMANCE.md: the side that is measured, and the work.
ROWS = [
    ("server streaming, client", "pull", "client"),
    ("client streaming, server", "push", "server"),
    ("bidi streaming, server", "chat", "server"),
]

# Whose a function is: the first pattern that it matches.
PARTS = [
    ("malloc and free", r"malloc/malloc\.c|__rustc?_(alloc|dealloc|realloc)|__rdl_"),
    ("copying", r"memmove|memcpy|memset"),
    ("prost, UTF-8", r":(<?prost::|core::str::|.*as prost::)|(?<!tonic-)prost-[\d.]+/|bench\.rs:"),
    ("texts", r":(<?core::fmt|alloc::fmt|alloc::raw_vec|<alloc::string::String as core)"),
    ("library", r"grpc_runtime|tonic|h2|hyper|tokio|bytes|futures|http|tower|bench::peer"),
]
OTHER = "other"
# What no library that hands out a prost message with a text can leave out.
SHARED = [name for name, _ in PARTS if name != "library"]


def build():
    manifest = HERE / "Cargo.toml"
    command = ["cargo", "build", "--release", "--locked", "--message-format=json"]
    command += ["--manifest-path", str(manifest)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    messages = map(json.loads, output.splitlines())
    return next(each["executable"] for each in messages if each.get("executable"))


def under_callgrind(out):
    return ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}"]


def run(binary, implementation, work, side, messages, out):
    """One load, with the profile of one side in `out`. The other side is ours."""
    server, client = (implementation, "ours") if side == "server" else ("ours", implementation)
    wrap = under_callgrind(out)
    serve = [*(wrap if side == "server" else []), binary, "serve", server, "pinned", "plain"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    pipes["stderr"] = subprocess.DEVNULL
    with subprocess.Popen(serve, **pipes) as serving:
        address = serving.stdout.readline().strip()
        drive = [*(wrap if side == "client" else []), binary, "drive", client, "pinned", address]
        drive += [work, "1", str(STREAMS), str(messages), "0", "plain"]
        with subprocess.Popen(drive, **pipes) as driving:
            driving.stdout.readline()
            outcome, _ = driving.communicate("\n\n", timeout=300)
        serving.communicate(timeout=300)
    if driving.returncode != 0 or serving.returncode != 0:
        raise SystemExit(f"{implementation}, {work}: no measurement: {outcome}")


def part_of(function):
    return next((name for name, pattern in PARTS if re.search(pattern, function)), OTHER)


def read(out):
    """Instructions by part."""
    command = ["callgrind_annotate", "--threshold=100", "--auto=no", str(out)]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    parts = {}
    for count, function in re.findall(r"^\s*([\d,]+) \([ \d.]+%\)  (.+)$", told, re.M):
        if function != "PROGRAM TOTALS":
            part = part_of(function)
            parts[part] = parts.get(part, 0) + int(count.replace(",", ""))
    return parts


def cost(binary, implementation, work, side):
    """Instructions of one message, by part."""
    with tempfile.TemporaryDirectory() as directory:
        profiles = []
        for times in (1, 2):
            out = pathlib.Path(directory) / str(times)
            run(binary, implementation, work, side, times * MESSAGES, out)
            profiles.append(read(out))
    once, twice = profiles
    # The load is warmed up with a tenth of it.
    messages = MESSAGES * 1.1
    return {part: (twice[part] - once.get(part, 0)) / messages for part in twice}


def table(binary):
    names = [name for name, _ in PARTS] + [OTHER]
    lines = ["| row | | " + " | ".join(names) + " | all | shared, of tonic's |"]
    lines.append("|---" * (len(names) + 4) + "|")
    for title, work, side in ROWS:
        costs = {each: cost(binary, each, work, side) for each in ("ours", "tonic")}
        shared = sum(costs["ours"].get(part, 0) for part in SHARED)
        share = shared / sum(costs["tonic"].values())
        for implementation, parts in costs.items():
            cells = [f"{parts.get(name, 0):.0f}" for name in names]
            cells.append(f"{sum(parts.values()):.0f}")
            cells.append(f"{share:.2f}" if implementation == "ours" else "")
            lines.append(f"| {title} | {implementation} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--publish", action="store_true", help="write it into PERFORMANCE.md")
    publishes = parser.parse_args().publish
    text = table(build())
    print(text)
    if publishes:
        page.publish("profile", text)


main()
