#!/usr/bin/env python3
"""Does what the README prints, as its reader would: in a fresh clone.

Every block of commands runs by itself, as it is printed, in a folder that has what
git has and nothing else. The README's crate is put beside the clone, runs, and has to
print what the README says. Its other manifests then take the place of the first.

Between the blocks only what cargo compiled is kept, in folders that no command names:
it saves time and cannot make a command work. The checkout's own is taken for that, and
put back at the end. Needs cargo, a network and a protoc.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HOUSE = pathlib.Path(__file__).resolve().parents[2]
README = (HOUSE / "README.md").read_text()
# Every command is bounded, in seconds; the tests of the workspace are the longest.
BOUND = 3600
# What cargo keeps for itself, of each profile.
COMPILED = [f"target/{profile}/{part}" for profile in ("debug", "release")
            for part in (".fingerprint", "build", "deps")]


class Wrong(Exception):
    pass


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.S | re.M)


def files():
    """The blocks with a name, which are files of the README's crate."""
    found = re.findall(r"^<!-- file: (\S+) -->\n```\w+\n(.*?)^```", README, re.S | re.M)
    return dict(found)


def move_compiled(here, there):
    for part in COMPILED:
        if (here / part).exists():
            shutil.rmtree(there / part, ignore_errors=True)
            (there / part).parent.mkdir(parents=True, exist_ok=True)
            shutil.move(here / part, there / part)


def forget_our_own(folder):
    """Has our crates compiled anew, as they know the path of their checkout."""
    for manifest in HOUSE.glob("*/Cargo.toml"):
        name = re.search(r'^name = "(.*?)"', manifest.read_text(), re.M)[1]
        for part in folder.glob(f"target/*/.fingerprint/{name}-*"):
            shutil.rmtree(part)


def fresh(clone, kept):
    """Makes the clone anew, but for what cargo compiled there."""
    move_compiled(clone, kept)
    shutil.rmtree(clone, ignore_errors=True)
    names = subprocess.run(["git", "ls-files", "-z"], cwd=HOUSE, check=True, capture_output=True)
    for name in filter(None, names.stdout.decode().split("\0")):
        # One that is deleted and not committed is in no clone either.
        if (HOUSE / name).is_file():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(HOUSE / name, clone / name)
    move_compiled(kept, clone)


def run(command, folder):
    """What it printed; raises unless it ended well."""
    environment = {name: value for name, value in os.environ.items() if name != "CARGO_TARGET_DIR"}
    printed = []
    with subprocess.Popen(["timeout", str(BOUND), *command], cwd=folder, env=environment,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as child:
        for line in child.stdout:
            print(line, end="", flush=True)
            printed.append(line)
    if child.returncode != 0:
        raise Wrong(f"it ended with {child.returncode}")
    return "".join(printed)


def commands(clone, kept):
    first, *others = blocks("sh")
    promised = re.search(r"The first\s[^`]*prints\s+`(.*?)`", README)
    if not promised:
        raise Wrong("the README does not say what the first command prints")
    for block in (first, *others):
        print(f"--- {block}", flush=True)
        fresh(clone, kept)
        printed = run(["bash", "-euxo", "pipefail", "-c", block], clone)
        if block is first and promised[1] not in printed.splitlines():
            raise Wrong(f"it does not print `{promised[1]}`")


def crate(kept, folder):
    """The README's crate, with each of the manifests that it prints."""
    named = files()
    expected = named.pop("output")
    manifest = named.pop("Cargo.toml")
    manifests = [manifest]
    for line in blocks("toml"):
        if line.strip() != manifest.strip():
            key = line.split("=")[0]
            manifests.append(re.sub(rf"^{re.escape(key)}=.*\n", lambda _: line, manifest, flags=re.M))
            if manifests[-1] == manifest:
                raise Wrong(f"nothing in the manifest is replaced by `{line}`")
    for manifest in manifests:
        print(f"--- {manifest}", flush=True)
        move_compiled(folder, kept / "of-crate")
        shutil.rmtree(folder, ignore_errors=True)
        move_compiled(kept / "of-crate", folder)
        for name, text in (named | {"Cargo.toml": manifest}).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        if run(["cargo", "run"], folder) != expected:
            raise Wrong(f"it does not print what the README says:\n{expected}")


def main():
    # Outside of the house, so that none of its settings is found on the way up.
    with tempfile.TemporaryDirectory(prefix="readme-") as work:
        work = pathlib.Path(work)
        clone, kept = work / "rust-grpc", work / "kept"
        move_compiled(HOUSE, kept)
        forget_our_own(kept)
        try:
            fresh(clone, kept)
            crate(kept, work / "my-service")
            commands(clone, kept)
        except Wrong as error:
            print(f"FAIL: the last block: {error}", file=sys.stderr)
            return 1
        finally:
            move_compiled(clone, HOUSE)
            forget_our_own(HOUSE)
    print("all that the README prints works")
    return 0


if __name__ == "__main__":
    sys.exit(main())
