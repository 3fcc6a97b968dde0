//! Generates the examples' code; no protoc is needed.

fn main() -> Result<(), grpc_build::Error> {
    grpc_build::compile(
        &[
            "proto/hello.proto",
            "proto/kv.proto",
            "proto/route_guide.proto",
        ],
        &["proto"],
    )?;
    grpc_build::Config::new()
        .include_file("etcd.rs")
        .compile(&["etcd/kv.proto", "etcd/rpc.proto"], &["etcd"])
}
