//! What a subchannel tells its channel's hub. Values.

use crate::call::load_report::LoadReport;
use crate::channel::address::Address;
use crate::channel::call::open_call::OpenCall;
use crate::status::Status;

/// What a subchannel's connection is doing. Where its server is asked for its health
/// ([`ServiceConfigBuilder::health_check_service`](crate::ServiceConfigBuilder::health_check_service)),
/// one that has not answered yet counts as connecting, and one that does not serve as
/// failed. Such a subchannel may go from any of the last three states to any other.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SubchannelState {
    /// There is no connection, and none is being made.
    Idle,
    /// One is being made.
    Connecting,
    /// There is one, over which HTTP/2 was agreed on, to this address.
    Ready(Address),
    /// None could be made, for this reason, and none is tried before the backoff is
    /// over.
    TransientFailure(Status),
}

impl SubchannelState {
    /// Whether calls go out at once.
    pub fn is_ready(&self) -> bool {
        matches!(self, Self::Ready(_))
    }
}

/// What a subchannel has to say: its number, or a call.
#[derive(Debug)]
pub(crate) enum Report {
    State(u64, SubchannelState),
    /// What its server says of its load by itself.
    Load(u64, Box<LoadReport>),
    /// A call for which there is no stream here.
    Back(Box<OpenCall>),
    /// The hub has said that no calls come from outside any more, and there is none
    /// here that waits, after so many that the hub itself has sent since.
    Done(u64, u64),
    /// Its task panicked.
    Broken,
}
