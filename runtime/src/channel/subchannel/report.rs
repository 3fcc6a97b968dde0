//! A subchannel's reports to its channel's hub. Values only.

use crate::call::load_report::LoadReport;
use crate::channel::address::Address;
use crate::channel::call::open_call::OpenCall;
use crate::status::Status;

/// The state of a subchannel's connection. With health checking
/// ([`ServiceConfigBuilder::health_check_service`](crate::ServiceConfigBuilder::health_check_service)),
/// a server that has not answered yet counts as connecting, and one that is not serving as
/// failed. Such a subchannel may go from any of the last three states to any other.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SubchannelState {
    /// There is no connection, and none is being established.
    Idle,
    /// A connection is being established.
    Connecting,
    /// There is a connection to this address, established up to HTTP/2.
    Ready(Address),
    /// No connection could be established, for this reason. The next attempt waits for the
    /// backoff.
    TransientFailure(Status),
}

impl SubchannelState {
    /// Whether calls are sent at once.
    pub fn is_ready(&self) -> bool {
        matches!(self, Self::Ready(_))
    }
}

/// A report; the first number is the subchannel's.
#[derive(Debug)]
pub(crate) enum Report {
    State(u64, SubchannelState),
    /// A load report that its server sent outside of calls.
    Load(u64, Box<LoadReport>),
    /// A call for which there is no stream here.
    Back(Box<OpenCall>),
    /// The hub has reported that no more calls come from outside, and no call waits here.
    /// The second number counts the calls that the hub itself has sent since.
    Done(u64, u64),
    /// The subchannel's task panicked.
    Broken,
}
