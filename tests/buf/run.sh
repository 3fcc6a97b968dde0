#!/usr/bin/env bash
# buf runs our plugin as examples/buf says, and what it writes is, byte for byte,
# what grpc-build writes. Needs cargo and python3 with venv; buf comes from PyPI
# into a virtual environment below target/. Exits non-zero on any difference.
set -euo pipefail
cd "$(dirname "$0")/../.."

target=${CARGO_TARGET_DIR:-$PWD/target}
work=$target/buf
venv=$work/venv
requirements=tests/buf/requirements.txt

# The environment is made anew when its requirements change.
if ! cmp -s "$requirements" "$venv/requirements.txt"; then
    rm -rf "$venv"
    mkdir -p "$work"
    python3 -m venv "$venv"
    timeout 600 "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$requirements"
    cp "$requirements" "$venv/requirements.txt"
fi

cargo build --locked --quiet --package protoc-gen-rust-grpc --package grpc-build --bins
export PATH=$target/debug:$venv/bin:$PATH

rm -rf "$work/by-buf" "$work/by-build"
# Its cache too stays below target/.
BUF_CACHE_DIR=$work/cache timeout 120 buf generate \
    --template examples/buf/buf.gen.yaml --output "$work/by-buf"
grpc-build generate --out "$work/by-build" -I examples/proto \
    --opt include_file=mod.rs \
    --opt 'type_attribute=.example=#[derive(serde::Serialize, serde::Deserialize)]' \
    examples/proto/*.proto
diff -r "$work/by-buf/target/generated" "$work/by-build"

# A mistake in an option reaches the user.
sed 's/include_file/inculde_file/' examples/buf/buf.gen.yaml >"$work/wrong.gen.yaml"
if BUF_CACHE_DIR=$work/cache buf generate --template "$work/wrong.gen.yaml" \
    --output "$work/by-buf" 2>"$work/errors"; then
    echo "buf accepted an unknown option" >&2
    exit 1
fi
grep -q 'did you mean `include_file`?' "$work/errors"
echo "buf $(buf --version) and grpc-build write the same: $(ls "$work/by-build" | wc -l) files"
