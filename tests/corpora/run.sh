#!/usr/bin/env bash
# The generator on protos that package registries carry, as a table: see main.rs.
# Needs cargo, python3 with venv, and Debian's apt-get and dpkg-deb; all that is
# downloaded stays below target/. Sets at hand are added as arguments:
#
#     tests/corpora/run.sh googleapis=path/to/googleapis:google/pubsub,google/spanner
set -euo pipefail
cd "$(dirname "$0")/../.."

target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target/corpora/sets"
sets=$(cd "$target/corpora/sets" && pwd)

# Where golang-google-grpc-dev and golang-google-protobuf-dev are, once installed.
installed=/usr/share/gocode/src

# What is below is downloaded anew when this script changes.
if ! cmp -s "$0" "$sets/run.sh"; then
    rm -rf "$sets"
    mkdir -p "$sets/crates/src" "$sets/pypi" "$sets/debian"

    cat >"$sets/crates/Cargo.toml" <<'TOML'
[package]
name = "sets"
edition = "2024"

[workspace]

[dependencies]
envoy-types = { version = "=0.7.7", default-features = false }
etcd-client = { version = "=0.21.1", default-features = false }
# Block comments of paragraphs, of a wallet's API.
fedimint-tonic-lnd = { version = "=0.4.0", default-features = false }
opentelemetry-proto = { version = "=0.33.1", default-features = false }
# All of protobuf 27: its own tests, of proto2, proto3 and edition 2023.
protobuf-src = "=2.1.1"
# Comments with stars, in proto2.
pulsar = { version = "=6.9.1", default-features = false }
tonic-health = { version = "=0.14.9", default-features = false }
tonic-reflection = { version = "=0.14.9", default-features = false }
tonic-types = "=0.14.9"
TOML
    touch "$sets/crates/src/lib.rs"
    cargo fetch --quiet --manifest-path "$sets/crates/Cargo.toml"
    cargo metadata --quiet --offline --format-version 1 \
        --manifest-path "$sets/crates/Cargo.toml" >"$sets/crates/metadata.json"
    python3 - "$sets" <<'PY'
import json, os, sys
crates = os.path.join(sys.argv[1], "crates")
with open(os.path.join(crates, "metadata.json")) as file:
    packages = json.load(file)["packages"]
for package in packages:
    link = os.path.join(crates, package["name"])
    if not os.path.lexists(link):
        os.symlink(os.path.dirname(package["manifest_path"]), link)
PY

    python3 -m venv "$sets/venv"
    timeout 300 "$sets/venv/bin/pip" download --quiet --disable-pip-version-check \
        --no-deps --dest "$sets/pypi" googleapis-common-protos==1.76.0
    python3 -m zipfile -e "$sets"/pypi/*.whl "$sets/pypi"

    # Of grpc-go and protobuf-go come the services of gRPC and proto2's corners.
    if [ ! -d "$installed/google.golang.org/grpc" ]; then
        (
            cd "$sets/debian"
            apt-get download --quiet golang-google-grpc-dev golang-google-protobuf-dev
            for package in *.deb; do dpkg-deb -x "$package" .; done
        )
    fi
    cp "$0" "$sets/run.sh"
fi

crates=$sets/crates
common=$sets/pypi
go=$installed
[ -d "$go/google.golang.org/grpc" ] || go=$sets/debian$installed
grpc=$go/google.golang.org/grpc
protobuf=$crates/protobuf-src/protobuf

cargo build --locked --package grpc-tests --package protoc-gen-rust-grpc --bins
"$target/debug/corpora" \
    "googleapis=$common" \
    "grpc=$grpc/debian/missing-sources/grpc/grpc-proto/master,$common" \
    "grpc_testing=$grpc:reflection,stats,test" \
    "tonic=$crates/tonic-reflection/proto,$crates/tonic-health/proto,$crates/tonic-types/proto" \
    "etcd=$crates/etcd-client/proto" \
    "envoy=$crates/envoy-types/proto/data-plane-api,$(printf '%s,' \
        "$crates"/envoy-types/proto/{googleapis,protoc-gen-validate,xds,opentelemetry-proto,cel-spec/proto,client_model})$common" \
    "lnd=$crates/fedimint-tonic-lnd/vendor" \
    "opentelemetry=$crates/opentelemetry-proto/src/proto/opentelemetry-proto" \
    "pulsar=$crates/pulsar" \
    "protobuf=$protobuf/src" \
    "protobuf_java=$protobuf/java/core/src/test/proto,$protobuf/src" \
    "protobuf_go=$go/google.golang.org/protobuf" \
    "$@"
