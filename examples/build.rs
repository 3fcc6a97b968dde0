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
    let metrics = "proto/opentelemetry/proto/metrics/v1/metrics.proto";
    let collector = "proto/opentelemetry/proto/collector/metrics/v1/metrics_service.proto";
    let common = "proto/opentelemetry/proto/common/v1/common.proto";
    let resource = "proto/opentelemetry/proto/resource/v1/resource.proto";
    grpc_build::Config::new()
        .include_file("otlp.rs")
        .compile(&[metrics, collector, common, resource], &["proto"])?;
    grpc_build::Config::new()
        .include_file("etcd.rs")
        .compile(&["etcd/kv.proto", "etcd/rpc.proto"], &["etcd"])
}
