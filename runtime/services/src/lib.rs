//! The services that a server has beside its own: gRPC's health checking and reflection, its
//! load out of band, and channelz. They reach the runtime through its public API alone.
//!
#![doc = include_str!("../README.md")]
// docs.rs documents what a feature brings as such.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod admin;
mod channelz;
mod draining;
mod health;
mod load;
mod reflection;

/// The generated code of the services' `.proto` files, for their clients: for example
/// `proto::grpc::health::v1::HealthStub`. Both versions of reflection use the messages of
/// `v1`, and a load's report is [`grpc_runtime::LoadReport`].
pub mod proto {
    include!("../proto/generated/mod.rs");
}

pub use admin::admin_services;
pub use channelz::Channelz;
pub use health::Health;
pub use load::OutOfBandLoad;
pub use proto::grpc::health::v1::health_check_response::ServingStatus;
pub use reflection::{Reflection, ReflectionError};
