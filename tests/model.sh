#!/usr/bin/env bash
# The model of the tasks that share a call, over thousands of their interleavings.
# The locks are those of shuttle, so it is a build of its own, below target/model.
set -euo pipefail
cd "$(dirname "$0")/.."

target=${CARGO_TARGET_DIR:-target}/model
mkdir -p "$target"
RUSTFLAGS="${RUSTFLAGS:-} --cfg shuttle" cargo test --locked --package grpc-runtime --lib \
    --target-dir "$target" model_of "$@" | tee "$target/printed"
# A name that fits nothing is no success.
grep -q '^test result: ok. [1-9]' "$target/printed"
