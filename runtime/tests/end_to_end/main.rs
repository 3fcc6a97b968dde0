//! Clients and servers of the runtime, joined by every transport it has.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests"
)]

mod accepting;
mod access_log;
mod addresses;
mod balancing;
mod blocking;
mod byte_streams;
mod call_credentials;
mod calls;
mod channelz;
#[cfg(feature = "compression")]
mod compression;
mod connectivity;
mod crowds;
mod door;
mod endings;
mod heavy;
mod inheritance;
mod interceptors;
mod lifecycle;
mod limits;
mod observers;
mod options;
mod outlier;
mod proxied;
mod proxies;
mod reconnecting;
mod selecting;
mod served;
mod service_config;
mod shutdown;
#[cfg(feature = "tracing")]
mod spans;
mod starting;
mod statuses;
mod streams;
#[path = "../support/mod.rs"]
mod support;
#[cfg(feature = "tls")]
mod tls;
mod tokens;
mod unkind;
mod validated;
mod weighted;
