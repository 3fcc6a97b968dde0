#!/usr/bin/env bash
# Our clients and servers against those of other languages, every official case in
# both directions, in plain text and over TLS, as a table: `--publish` writes it into
# the README, `--check` fails unless it stands there. Needs cargo and python3 with
# venv; grpcio and grpc-js are installed below target/, grpc C++ and grpc-go come
# from Debian's packages. What is missing is told and left out; `--check` then fails.
set -euo pipefail
cd "$(dirname "$0")/../.."

target=${CARGO_TARGET_DIR:-target}
cargo build --locked --package examples --package grpc-tests --bins

# Every case is bounded; this bounds what nobody thought of.
PYTHONDONTWRITEBYTECODE=1 exec timeout --kill-after=10 900 \
    python3 tests/interop/matrix.py "$target/debug" "$target/interop" "$@"
