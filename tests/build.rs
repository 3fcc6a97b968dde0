//! Generates the peers' services, and the generator's own test files, which
//! `src/lib.rs` compiles under the strictest lints.

use std::path::{Path, PathBuf};

/// gRPC's interop contract.
const TESTING: &str = "proto/grpc/testing";

fn main() -> Result<(), grpc_build::Error> {
    grpc_build::compile(
        &["proto/flow/flow.proto", "../examples/proto/hello.proto"],
        &["proto/flow", "../examples/proto"],
    )?;
    grpc_build::compile(
        &["empty.proto", "messages.proto", "test.proto"].map(|file| format!("{TESTING}/{file}")),
        &[TESTING],
    )?;
    grpc_build::Config::new().include_file("etcd.rs").compile(
        &["proto/etcd/kv.proto", "proto/etcd/rpc.proto"],
        &["proto/etcd"],
    )?;

    grpc_build::Config::new()
        .front_end(grpc_build::FrontEnd::VendoredProtoc)
        .compile(&["proto/editions/editions.proto"], &["proto/editions"])?;

    let testdata = Path::new("../protoc-gen-rust-grpc/tests/testdata");
    let mut protos = Vec::new();
    collect(testdata, &mut protos);
    protos.sort();
    println!("cargo:rerun-if-changed={}", testdata.display());
    let out_dir = Path::new(&std::env::var_os("OUT_DIR").unwrap_or_default()).join("testdata");
    grpc_build::Config::new()
        .include_file("mod.rs")
        .out_dir(out_dir)
        .compile(&protos, &[testdata])
}

/// Every .proto file below `folder`. One that cannot be listed is missed by the
/// compiler of whoever imports it.
fn collect(folder: &Path, protos: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, protos);
        } else if path
            .extension()
            .is_some_and(|extension| extension == "proto")
        {
            protos.push(path);
        }
    }
}
