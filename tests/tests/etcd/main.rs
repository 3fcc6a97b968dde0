//! etcd's own server under a client that is generated from its interface: a real
//! gRPC service that nobody wrote for us, on grpc-go. Where etcd is not installed
//! (Debian: etcd-server) the tests say so and pass.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests"
)]

mod lease;
mod maintenance;
mod server;
mod store;
mod tls;
mod watch;

/// What is generated: `etcdserverpb` and `mvccpb`.
mod proto {
    include!(concat!(env!("OUT_DIR"), "/etcd.rs"));
}
