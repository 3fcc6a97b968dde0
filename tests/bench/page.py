"""PERFORMANCE.md, and the places in it that are for tables."""

import pathlib

PERFORMANCE = pathlib.Path(__file__).resolve().parents[2] / "PERFORMANCE.md"


def publish(name, text):
    """Writes a table into the place of its name."""
    page = PERFORMANCE.read_text()
    begin, end = f"<!-- begin: {name} -->", f"<!-- end: {name} -->"
    before, _, rest = page.partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise SystemExit(f"{PERFORMANCE.name} has no place for the {name}")
    PERFORMANCE.write_text(f"{before}{begin}\n{text}\n{end}{after}")
