"""Our programs, built, and where they are."""

import os
import pathlib
import subprocess

HOUSE = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = {
    "grpc-tests": ["interop_server", "fleet_client", "scripted_server", "scripted_client"],
    "examples": ["headless_service"],
}


def target():
    return HOUSE / os.environ.get("CARGO_TARGET_DIR", "target")


def build(whole):
    """Gives the directory that they are in."""
    for package, names in PROGRAMS.items():
        command = ["cargo", "build", "--locked", "--package", package]
        command += [part for name in names for part in ("--bin", name)]
        subprocess.run([*command, *(["--release"] if whole else [])], cwd=HOUSE, check=True)
    return target() / ("release" if whole else "debug")
