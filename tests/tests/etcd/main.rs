//! etcd's own server under a client that is generated from its interface: a real
//! gRPC service that nobody wrote for us, on grpc-go. It has to be installed (Debian:
//! etcd-server), so these tests run only where they are asked for:
//! `cargo test --workspace --test etcd -- --ignored`, as CI does.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests"
)]

/// The example's own: what it does is proved here.
#[path = "../../../examples/src/bin/etcd_resolver/entry.rs"]
mod entry;
mod lease;
mod maintenance;
#[path = "../../../examples/src/bin/etcd_resolver/naming.rs"]
mod naming;
mod resolver;
mod server;
mod store;
mod tls;
mod watch;

/// What is generated: `etcdserverpb` and `mvccpb`.
mod proto {
    include!(concat!(env!("OUT_DIR"), "/etcd.rs"));
}
