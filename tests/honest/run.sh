#!/usr/bin/env bash
# Honest traffic with other HTTP/2 implementations, both ways, at full speed: see
# honest.py for what it asks and for its arguments. Needs cargo and python3 with venv;
# Go's net/http, grpcio and grpc-js are installed below target/, grpc-go, h2load, curl,
# nginx and haproxy come from Debian's packages. What is missing is told and left out.
set -euo pipefail
cd "$(dirname "$0")/../.."

target=${CARGO_TARGET_DIR:-target}
cargo build --locked --release --package grpc-tests \
    --bin interop_server --bin honest_client --bin slow_server --bin h2_peer

# Every cell is bounded; this bounds what nobody thought of.
PYTHONDONTWRITEBYTECODE=1 exec timeout --kill-after=10 7200 \
    python3 tests/honest/honest.py "$target/release" "$target/interop" "$@"
