#!/usr/bin/env bash
# The model of the tasks that share a call, over thousands of their interleavings.
# The locks are those of shuttle, so it is a build of its own, below target/model.
set -euo pipefail
cd "$(dirname "$0")/.."

RUSTFLAGS="${RUSTFLAGS:-} --cfg shuttle" cargo test --locked --package grpc-runtime --lib \
    --target-dir "${CARGO_TARGET_DIR:-target}/model" model_of "$@" | tee /dev/stderr |
    grep -q '^test result: ok. [1-9]'
