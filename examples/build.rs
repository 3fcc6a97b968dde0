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
        .compile(&["etcd/kv.proto", "etcd/rpc.proto"], &["etcd"])?;
    guide()
}

/// What the guide shows of build scripts.
fn guide() -> Result<(), grpc_build::Error> {
    // snippet: options
    grpc_build::Config::new()
        .type_attribute(".store.Order.Line", "#[derive(serde::Serialize)]")
        .bytes(".store.Order.photo")
        .btree_map(".store")
        .compile(&["guide/proto/store.proto"], &["guide/proto"])?;
    // end
    // snippet: packages
    grpc_build::Config::new()
        .include_file("acme_api.rs")
        .compile(
            &[
                "guide/proto/acme/money/v1/money.proto",
                "guide/proto/acme/shop/v1/shop.proto",
            ],
            &["guide/proto"],
        )
    // end
}
