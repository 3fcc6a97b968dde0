//! Generated code that is checked in is what the generator writes.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use std::path::Path;

/// To write it anew: `grpc-build generate --out runtime/proto/generated --opt client=false
/// --opt server=false -I runtime/proto runtime/proto/grpc/health/v1/health.proto`.
#[test]
fn the_runtimes_own_messages_are_up_to_date() {
    let protos = Path::new(env!("CARGO_MANIFEST_DIR")).join("../runtime/proto");
    let config = grpc_build::Config::new().client(false).server(false);
    config
        .out_dir(protos.join("generated"))
        .check(&[protos.join("grpc/health/v1/health.proto")], &[&protos])
        .unwrap();
}
