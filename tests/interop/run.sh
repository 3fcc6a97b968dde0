#!/usr/bin/env bash
# Our clients and servers against Python's gRPC (C core): every case in both
# directions, as a table. Needs cargo and python3 with venv; everything else goes
# into a virtual environment below target/. Exits non-zero if a case fails.
set -euo pipefail
cd "$(dirname "$0")/../.."

target=${CARGO_TARGET_DIR:-target}
work=$target/interop
venv=$work/venv
requirements=tests/interop/requirements.txt

# The environment is made anew when its requirements change.
if ! cmp -s "$requirements" "$venv/requirements.txt"; then
    rm -rf "$venv"
    mkdir -p "$work"
    python3 -m venv "$venv"
    timeout 600 "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$requirements"
    cp "$requirements" "$venv/requirements.txt"
fi

mkdir -p "$work/python"
"$venv/bin/python" -m grpc_tools.protoc -Iexamples/proto \
    --python_out="$work/python" --grpc_python_out="$work/python" hello.proto

cargo build --locked --package examples --package grpc-tests --bins

# The clients bound each case; this bounds what nobody thought of.
PYTHONPATH=$work/python PYTHONDONTWRITEBYTECODE=1 timeout 900 \
    "$venv/bin/python" tests/interop/matrix.py "$target/debug"
