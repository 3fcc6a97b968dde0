//! The code of the guide, a module for each page, and what holds the pages to it.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::items_after_statements,
    reason = "a guide's code, run as tests"
)]

mod channels_balancing_retries;
mod coming_from_grpc_go;
mod coming_from_grpcio;
mod coming_from_tonic;
mod common_errors;
mod compatibility;
mod deadlines_and_cancellation;
mod deployment;
mod errors_and_details;
mod first_call;
mod four_kinds;
mod hardening;
mod harness;
mod interceptors_and_observers;
mod messages_and_options;
mod metadata;
mod metrics_traces_logs;
mod options;
mod packages_and_crates;
mod questions;
mod services;
mod testing;
mod tls_and_tokens;
mod tuning;

/// What the guide's pages call, generated from `examples/proto/hello.proto`.
mod example {
    grpc_runtime::include_proto!("example");
}
