//! Generates the examples' code; no protoc is needed.

fn main() -> Result<(), grpc_build::Error> {
    let protos = ["hello", "kv", "route_guide"].map(|name| format!("proto/{name}.proto"));
    grpc_build::Config::new()
        // For reflection.
        .file_descriptor_set(true)
        .compile(&protos, &["proto".to_owned()])?;
    let otlp = [
        "collector/metrics/v1/metrics_service",
        "common/v1/common",
        "metrics/v1/metrics",
        "resource/v1/resource",
    ]
    .map(|file| format!("otlp/opentelemetry/proto/{file}.proto"));
    grpc_build::Config::new()
        .include_file("otlp.rs")
        .compile(&otlp, &["otlp".to_owned()])?;
    grpc_build::Config::new()
        .include_file("etcd.rs")
        .compile(&["etcd/kv.proto", "etcd/rpc.proto"], &["etcd"])
}
