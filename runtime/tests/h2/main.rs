//! The runtime against HTTP/2 of another hand: the `h2` crate as the client of
//! our server, and as the server of our channel. Each test is named by what it
//! proves; the wire is asserted, not our own reading of it.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests"
)]

mod client;
mod peer;
mod server;
#[path = "../support/mod.rs"]
mod support;
