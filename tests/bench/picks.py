#!/usr/bin/env python3
"""What a pick costs by each policy of a channel, with few endpoints and with many.

The ignored test `what_a_pick_costs` of the runtime times them one after the other, in one
process. Of some rounds the times are the least, since noise only adds, and the ratios
are medians of those to round_robin in the same round.

`--publish` writes the table into PERFORMANCE.md.
"""

import argparse
import pathlib
import re
import statistics
import subprocess
import sys

HOUSE = pathlib.Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True

import page

LINE = re.compile(r"^(.+?) +([\d.]+) ns of 3, +([\d.]+) ns of 1,000$", re.M)
BASE = "round_robin"


def measure():
    """A policy's nanoseconds with few endpoints and with many, by its name."""
    command = ["cargo", "test", "--quiet", "--release", "--locked", "--package", "grpc-runtime"]
    command += ["--all-features", "--lib", "what_a_pick_costs", "--", "--ignored", "--nocapture"]
    run = subprocess.run(command, cwd=HOUSE, stdout=subprocess.PIPE, text=True, check=True)
    found = {name: (float(few), float(many)) for name, few, many in LINE.findall(run.stdout)}
    if BASE not in found:
        raise SystemExit(f"no figures in: {run.stdout}")
    return found


def table(rounds):
    lines = ["| policy | 3 endpoints | divided by round_robin | 1,000 endpoints | divided by round_robin |"]
    lines.append("|---|--:|--:|--:|--:|")
    for name in rounds[0]:
        cells = []
        for column in range(2):
            least = min(found[name][column] for found in rounds)
            ratios = [found[name][column] / found[BASE][column] for found in rounds]
            cells.append(f"{least:.0f} ns | {statistics.median(ratios):.1f}")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--publish", action="store_true", help="write it into PERFORMANCE.md")
    parser.add_argument("--rounds", type=int, default=10)
    arguments = parser.parse_args()
    rounds = [measure() for _ in range(arguments.rounds)]
    text = table(rounds)
    print(text)
    if arguments.publish:
        page.publish("picks", text)


main()
