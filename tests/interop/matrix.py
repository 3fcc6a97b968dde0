"""The official interop cases between our programs and other languages', both ways,
in plain text and over TLS.

matrix.py BINARIES WORK [--publish | --check]

BINARIES holds our programs, WORK the other languages' as they are made. Prints how
every case went; `--publish` writes that into the README, `--check` fails unless the
README says it already. Of a peer that cannot be installed the README keeps what it
says. Ends with 1 if anything failed.
"""

import argparse
import concurrent.futures
import pathlib
import sys
import time

import hello
import peers
import process
import security

README = peers.HERE.parents[1] / "README.md"
BEGIN, END = "<!-- interop: begin -->\n", "<!-- interop: end -->\n"

CASES = [
    "empty_unary",
    "large_unary",
    "concurrent_large_unary",
    "pick_first_unary",
    "client_compressed_unary",
    "server_compressed_unary",
    "client_streaming",
    "server_streaming",
    "client_compressed_streaming",
    "server_compressed_streaming",
    "ping_pong",
    "empty_stream",
    "custom_metadata",
    "status_code_and_message",
    "special_status_message",
    "unimplemented_method",
    "unimplemented_service",
    "cancel_after_begin",
    "cancel_after_first_response",
    "timeout_on_sleeping_server",
    "rpc_soak",
    "channel_soak",
    "orca_per_rpc",
]

# What one case may take, in seconds; each call in it has a bound of its own.
BOUND = 90
# A loaded machine is no failure of the soaks.
PATIENCE = [
    "--soak_per_iteration_max_acceptable_latency_ms=20000",
    "--soak_overall_timeout_seconds=60",
]
PASS, FAIL, LACKS = "✓", "✗", "–"


def direction(encryption, server, client, lacks, env):
    """Every case of one direction: '' for a pass, the reason, or None if it lacks."""
    outcomes = {}
    with process.serving([*server, *encryption.server], env) as address:
        host, _, port = address.rpartition(":")
        for case in CASES:
            if case in lacks:
                outcomes[case] = None
                continue
            flags = [f"--server_host={host}", f"--server_port={port}", f"--test_case={case}"]
            command = [*client, *encryption.client, *flags]
            printed, code = process.run(command, BOUND, env)
            last = (printed.strip().splitlines() or ["it said nothing"])[-1]
            outcomes[case] = "" if code == 0 else f"{last} ({code})"
    return outcomes


def ours(binaries):
    client = [binaries / "interop_client", *PATIENCE]
    # The addresses that it prints are for one's own machine.
    return [binaries / "interop_server", "--port=0"], client


def run(binaries, there, encryptions):
    """Tables of outcomes by column: the official cases, then the finer ones.

    The official columns are a direction's title with the name of an encryption.
    """
    server, client = ours(binaries)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        columns = {}
        for peer in there:
            theirs = server, peer.client, peer.client_lacks, peer.env
            mine = peer.server, client, peer.server_lacks, peer.env
            for heading, ends in zip(title(peer), (theirs, mine)):
                for encryption in encryptions:
                    job = pool.submit(direction, encryption, *ends)
                    columns[heading, encryption.name] = job
        tables = [columns]
        for peer in there:
            if peer.name == "grpcio":
                for table in hello.tables(binaries, peer, encryptions):
                    tables.append({name: pool.submit(job) for name, job in table.items()})
    return [{name: job.result() for name, job in table.items()} for table in tables]


def title(peer):
    name = f"{peer.name} {peer.version}"
    return f"{name} calls us", f"we call {name}"


def mark(outcome):
    return LACKS if outcome is None else FAIL if outcome else PASS


def cells(columns):
    """The README's cells by heading: a case's mark in plain text, then over TLS."""
    by_heading = {}
    for (heading, _), outcomes in columns.items():
        by_heading.setdefault(heading, []).append(outcomes)
    return {
        heading: {case: cell([of[case] for of in several]) for case in CASES}
        for heading, several in by_heading.items()
    }


def cell(outcomes):
    """What a library lacks, it lacks either way."""
    if all(outcome is None for outcome in outcomes):
        return LACKS
    return " ".join(map(mark, outcomes))


def rows(columns):
    """The table's rows, with their cells."""
    yield ["case", *columns]
    yield ["---", *(":-:" for _ in columns)]
    for case in CASES:
        yield [f"`{case}`", *(cells[case] for cells in columns.values())]


def kept(block, names):
    """The README's columns of these peers, as it has them."""
    table = [[cell.strip() for cell in line.split("|")[1:-1]] for line in block.splitlines()]
    table = [row for row in table if row]
    if not table:
        return {}
    cases = [row[0].strip("`") for row in table[2:]]
    columns = {}
    for n, heading in enumerate(table[0][1:], 1):
        if any(name in heading for name in names):
            cells = dict(zip(cases, (row[n] for row in table[2:])))
            columns[heading] = {case: cells.get(case, LACKS) for case in CASES}
    return columns


def block(columns, missing, before):
    """The README's text between its marks."""
    found = {**cells(columns), **kept(before, missing)}
    order = list(peers.PEERS)
    place = lambda heading: next(n for n, name in enumerate(order) if name in heading)
    found = {heading: found[heading] for heading in sorted(found, key=place)}
    return "".join(f"| {' | '.join(row)} |\n" for row in rows(found))


def show(columns):
    """Prints the outcomes of columns, and returns what is wrong in them."""
    columns = {", ".join(key): outcomes for key, outcomes in columns.items()}
    names = list(dict.fromkeys(case for outcomes in columns.values() for case in outcomes))
    width = max(map(len, names), default=0)
    for n, heading in enumerate(columns, 1):
        print(f"{n}: {heading}")
    print(" " * width, *(f"{n:2}" for n in range(1, len(columns) + 1)))
    wrong = []
    for name in names:
        outcomes = [of.get(name, "it did not run") for of in columns.values()]
        print(f"{name:{width}}", *(f"{mark(outcome):>2}" for outcome in outcomes))
        for heading, outcome in zip(columns, outcomes):
            if outcome:
                wrong.append(f"{heading}: {name}: {outcome}")
    print()
    return wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binaries", type=pathlib.Path)
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("--publish", action="store_true")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    process.end_with_us()

    began = time.monotonic()
    there, missing = peers.prepare(arguments.work)
    for name, reason in missing.items():
        print(f"without {name}: {reason}")
    print(f"the peers are there after {time.monotonic() - began:.0f} s")
    if not there:
        return 1
    binaries = arguments.binaries.resolve()
    certificates = arguments.work.resolve() / "certificates"
    encryptions = [security.PLAIN, security.tls(binaries, certificates)]
    tables = run(binaries, there, encryptions)
    print(f"and all calls are made after {time.monotonic() - began:.0f} s\n")

    wrong = [reason for table in tables for reason in show(table)]
    text = README.read_text()
    head, rest = text.split(BEGIN)
    before, tail = rest.split(END)
    now = block(tables[0], missing, before)
    if arguments.publish:
        README.write_text(head + BEGIN + now + END + tail)
    elif arguments.check:
        # Whoever was not there passed nothing.
        wrong += [f"{name} did not take part: {reason}" for name, reason in missing.items()]
        if now != before:
            wrong.append(f"the README's table is not this run's, which is:\n{now}")
    print(*wrong, sep="\n") if wrong else print("every case passed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
