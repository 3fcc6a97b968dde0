//! The code of the guide, a module for each page, and what holds the pages to it.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a guide's code, run as tests"
)]

mod first_call;
mod harness;

/// What the guide's pages call, generated from `examples/proto/hello.proto`.
mod example {
    grpc_runtime::include_proto!("example");
}
