#!/usr/bin/env python3
"""Whether the versions that our manifests name are true.

The crates that are published are checked with every feature, by the compiler that
`rust-version` names, first with the versions of Cargo.lock and then with the lowest
that their manifests allow for what they name themselves. Needs the registry, and that
compiler from rustup; `--compiler` prints which one it is.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tomllib

HOUSE = pathlib.Path(__file__).resolve().parents[2]
CRATES = ["protoc-gen-rust-grpc", "grpc-build", "runtime", "runtime/opentelemetry",
          "runtime/services"]
TARGET = HOUSE / "target/versions"


def alone(folder):
    """The crates in a workspace of their own, without what only their tests need:
    that would raise what the crates themselves ask for."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    text = (HOUSE / "Cargo.toml").read_text()
    text = re.sub(r"^members = .*$", f"members = {CRATES}", text, flags=re.M)
    text = re.sub(r"^exclude = .*\n", "", text, flags=re.M)
    (folder / "Cargo.toml").write_text(text)
    for crate in CRATES:
        (folder / crate).mkdir()
        os.symlink(HOUSE / crate / "src", folder / crate / "src")
        manifest = (HOUSE / crate / "Cargo.toml").read_text()
        manifest = re.sub(r"^\[dev-dependencies\]\n(?:(?!\[).*\n)*", "", manifest, flags=re.M)
        (folder / crate / "Cargo.toml").write_text(manifest)


def run(*command, folder, **environment):
    print("---", *command, flush=True)
    subprocess.run(command, cwd=folder, env=os.environ | environment, check=True)


def main():
    with open(HOUSE / "Cargo.toml", "rb") as file:
        compiler = tomllib.load(file)["workspace"]["package"]["rust-version"]
    if sys.argv[1:] == ["--compiler"]:
        print(compiler)
        return
    check = ("cargo", f"+{compiler}", "check", "--workspace", "--all-features", "--locked",
             "--target-dir", TARGET)

    folder = TARGET / "locked"
    alone(folder)
    shutil.copy(HOUSE / "Cargo.lock", folder)
    # Takes out what nobody asks for here, and must find all the rest.
    run("cargo", "update", "--workspace", "--offline", "--quiet", folder=folder)
    run(*check, folder=folder)

    folder = TARGET / "lowest"
    alone(folder)
    # It is the resolver's question that is unstable, not its answer: what compiles is
    # the compiler that users have.
    run("cargo", "update", "--quiet", "-Z", "direct-minimal-versions", folder=folder,
        RUSTC_BOOTSTRAP="1")
    run(*check, folder=folder)
    print(f"rustc {compiler} takes all crates, with the locked and with the lowest versions")


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(f"FAIL: {error}")
