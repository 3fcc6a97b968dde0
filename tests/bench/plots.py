#!/usr/bin/env python3
"""Makes the plots of the guide's page of tuning from tables: those of PERFORMANCE.md, and
the one in the page that its test measures. With `--check` it only says whether they are
made from these tables.
"""

import argparse
import pathlib
import re
import sys

sys.dont_write_bytecode = True

import page

GUIDE = page.PERFORMANCE.parent / "examples" / "guide"
OURS, OTHER = "#3A6EA5", "#C8503C"
WIDTH, LEFT, RIGHT, BAR = 720, 170, 130, 22


def rows(name):
    """The cells of a table of PERFORMANCE.md."""
    text = page.PERFORMANCE.read_text()
    _, _, rest = text.partition(f"<!-- begin: {name} -->")
    table, found, _ = rest.partition(f"<!-- end: {name} -->")
    if not found:
        raise SystemExit(f"PERFORMANCE.md has no table of {name}")
    lines = [line for line in table.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def calls_in_flight():
    """CPU time of a unary call on both sides, as a share of one call at a time."""
    table = rows("unary")
    ours = table[0].index("ours")
    spent = {}
    for cells in table[2:]:
        if cells[1] == "pinned" and cells[2] in ("server CPU", "client CPU"):
            spent[cells[0], cells[2]] = float(cells[ours])
    works = ["1 at a time", "1 × 100", "10 × 100", "50 × 20"]
    bars = []
    for work in works:
        for side, colour in (("server CPU", OURS), ("client CPU", OTHER)):
            share = spent[f"unary, {work}", side] / spent["unary, 1 at a time", side]
            bars.append((f"{work}, {side[:6]}", share, f"{share:.3f}", colour))
    title = "CPU time of a unary call, of that with one call at a time (m connections × n calls)"
    return "calls-in-flight", title, bars


def hedging():
    """Latency by the hedging delay."""
    table = rows("hedging")
    bars = []
    for delay, _, p99, p999, further in table[2:]:
        for name, cell, colour in (("p99", p99, OURS), ("p99.9", p999, OTHER)):
            value = float(cell.split()[0])
            bars.append((f"{delay}, {name}", value, f"{cell}, +{further}", colour))
    title = "Latency by the hedging delay, and how many further attempts there are"
    return "hedging", title, bars


def windows():
    """What a stream carries over 100 ms by its window."""
    text = (GUIDE / "tuning.md").read_text()
    block = re.search(r"<!-- output: windows -->\n```text\n.*\n((?:.*\n)*?)```", text)
    bars = []
    for line in block[1].splitlines():
        name, number = line.rsplit(None, 1)
        bars.append((name.strip(), float(number), number, OURS))
    return "windows", "MiB a second of one stream over 100 ms there and back, by stream_window", bars


def svg(title, bars):
    most = max(value for _, value, _, _ in bars)
    height = 50 + BAR * len(bars)
    lines = [
        f'<svg width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
        ' xmlns="http://www.w3.org/2000/svg" font-family="sans-serif">',
        f'<rect width="{WIDTH}" height="{height}" fill="#FFFFFF"/>',
        f'<text x="20" y="24" font-size="14">{title}</text>',
    ]
    for number, (name, value, told, colour) in enumerate(bars):
        top = 40 + BAR * number
        width = max(1, round((WIDTH - LEFT - RIGHT) * value / most))
        lines += [
            f'<text x="{LEFT - 8}" y="{top + 14}" font-size="12" text-anchor="end">{name}</text>',
            f'<rect x="{LEFT}" y="{top + 2}" width="{width}" height="{BAR - 6}" fill="{colour}"/>',
            f'<text x="{LEFT + width + 6}" y="{top + 14}" font-size="12">{told}</text>',
        ]
    return "\n".join([*lines, "</svg>", ""])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    is_checking = parser.parse_args().check
    wrong = []
    for name, title, bars in (calls_in_flight(), windows(), hedging()):
        path, text = GUIDE / f"{name}.svg", svg(title, bars)
        if not is_checking:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            wrong.append(path.name)
    if wrong:
        raise SystemExit(f"not made from the tables: {', '.join(wrong)}; run tests/bench/plots.py")


if __name__ == "__main__":
    main()
