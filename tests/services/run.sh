#!/usr/bin/env bash
# A server with the services of grpc-services, asked by the clients of others: grpcio's of
# health and reflection, grpcurl and buf curl. Needs cargo and python3 with venv; the
# clients come from PyPI into a virtual environment below target/. Prints each check and
# how many passed; exits non-zero unless all did.
set -euo pipefail
cd "$(dirname "$0")/../.."

target=${CARGO_TARGET_DIR:-$PWD/target}
work=$target/services
venv=$work/venv
requirements=tests/services/requirements.txt

# The environment is made anew when its requirements change.
if ! cmp -s "$requirements" "$venv/requirements.txt"; then
    rm -rf "$venv"
    mkdir -p "$work"
    python3 -m venv "$venv"
    timeout 600 "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$requirements"
    cp "$requirements" "$venv/requirements.txt"
fi

cargo build --locked --quiet --package grpc-tests --bin services_server --bin test_certificates

# Every check is bounded; this bounds what nobody thought of. buf's cache stays here too.
BUF_CACHE_DIR=$work/cache exec timeout --kill-after=10 600 \
    "$venv/bin/python" tests/services/checks.py \
    "$target/debug/services_server" "$target/debug/test_certificates"
