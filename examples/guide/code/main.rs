//! The code of the guide, a module for each page, and what holds the pages to it.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a guide's code, run as tests"
)]

mod channels_balancing_retries;
mod deployment;
mod first_call;
mod harness;
mod interceptors_and_observers;
mod metrics_traces_logs;
mod services;
mod testing;
mod tls_and_tokens;

/// What the guide's pages call, generated from `examples/proto/hello.proto`.
mod example {
    grpc_runtime::include_proto!("example");
}
