//! Test tools for programs that use grpc-runtime. They use the runtime's public API only.
//!
#![doc = include_str!("../README.md")]
// docs.rs documents what a feature brings as such.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod chance;
mod leftovers;
mod link;
mod network;
mod pipe;
mod raw;
mod record;
mod reply;
mod script;
mod watch;
mod wire;

pub use leftovers::{Leftovers, no_leftovers};
pub use link::Link;
pub use network::{Host, Network, NetworkConnector};
pub use record::RecordedCall;
pub use reply::Reply;
pub use script::Script;
pub use watch::CallWatch;
