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

/// To write it anew: `grpc-build generate --out runtime/services/proto/generated
/// --opt include_file=mod.rs --opt file_descriptor_set=true --opt bytes=.
/// --opt extern_path=.grpc.reflection.v1alpha=crate::proto::grpc::reflection::v1
/// --opt extern_path=.xds.data.orca.v3.OrcaLoadReport=::grpc_runtime::LoadReport
/// -I runtime/services/proto`, and the files below. Both versions of reflection have one
/// set of messages, and reports of load are the runtime's.
#[test]
fn the_services_are_up_to_date() {
    let protos = Path::new(env!("CARGO_MANIFEST_DIR")).join("../runtime/services/proto");
    let files = [
        "grpc/channelz/v1/channelz.proto",
        "grpc/health/v1/health.proto",
        "grpc/reflection/v1/reflection.proto",
        "grpc/reflection/v1alpha/reflection.proto",
        "brought.proto",
        "xds/service/orca/v3/orca.proto",
    ];
    let files = files.map(|file| protos.join(file));
    let messages = "crate::proto::grpc::reflection::v1";
    grpc_build::Config::new()
        .include_file("mod.rs")
        .file_descriptor_set(true)
        .bytes(".")
        .extern_path(".grpc.reflection.v1alpha", messages)
        .extern_path(
            ".xds.data.orca.v3.OrcaLoadReport",
            "::grpc_runtime::LoadReport",
        )
        .out_dir(protos.join("generated"))
        .check(&files, &[&protos])
        .unwrap();
}
