//! The client's side of a connection: targets, connecting, balancing, and the calls on it.
//! Client and server share `call` and the layers below it; neither imports the other.

pub(crate) mod address;
mod alarm;
mod authenticate;
mod backend_labels;
mod background;
mod backoff;
mod balance;
mod builder;
pub(crate) mod call;
mod carrier;
pub(crate) mod config;
mod configured;
mod connectivity;
mod deferred;
mod error;
mod handle;
mod hub;
mod inbox;
mod outlook;
mod pick;
mod prepare;
mod reconnect;
mod record;
mod resolve;
mod selector;
mod service_config;
mod shared;
mod subchannel;
pub(crate) mod target;
mod upkeep;
mod waiting_calls;
mod watched;
mod zone;

pub use address::{Address, Attributes, Endpoint};
pub use backend_labels::{BackendService, Locality};
pub use balance::control::Control;
pub use balance::ejections::{FailurePercentageEjection, SuccessRateEjection};
pub use balance::least_request::LeastRequest;
pub use balance::outlier_detection::OutlierDetection;
pub use balance::pick_first::PickFirst;
pub use balance::policy::{Balance, Policy, Resolved};
#[cfg(feature = "ring-hash")]
pub use balance::random_subsetting::RandomSubsetting;
#[cfg(feature = "ring-hash")]
pub use balance::ring::{EndpointWeight, HashKey};
#[cfg(feature = "ring-hash")]
pub use balance::ring_hash::RingHash;
pub use balance::round_robin::RoundRobin;
pub use balance::weighted_round_robin::WeightedRoundRobin;
pub use builder::ChannelBuilder;
pub use call::interceptor::{ClientInterceptor, OutgoingCall};
pub use call::ticket::{AttemptEnd, AttemptEnds, Ticket};
pub use config::error::ServiceConfigError;
pub use config::method_config::MethodConfig;
pub use config::retry_policy::{HedgingPolicy, RetryPolicy, RetryThrottling};
pub use connectivity::{ConnectivityState, StateWatch};
pub use error::ChannelError;
pub use handle::Channel;
pub use pick::{Pick, PickArgs, Picker, Picks};
pub use record::{ChannelSnapshot, StateSnapshot, SubchannelSnapshot};
pub use resolve::resolution::Resolution;
pub use resolve::resolver::Resolver;
pub use resolve::updates::Updates;
pub use selector::{CallConfig, ConfigSelector};
pub use service_config::builder::ServiceConfigBuilder;
pub use service_config::content::ServiceConfig;
pub(crate) use subchannel::Connects;
pub use subchannel::connector::Connector;
pub use subchannel::handle::Subchannel;
pub use subchannel::report::SubchannelState;
pub use target::{Target, TargetError};
