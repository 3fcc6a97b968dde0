//! A call that begins, as observers are told of it. A value.

use crate::deadline::Deadline;
use crate::framing::Side;
use crate::metadata::Metadata;
use crate::method::Method;
use crate::transport::PeerAddress;

/// A call that begins: on a channel when its caller makes it, ahead of interceptors,
/// credentials and the wait for a connection; on a server when its handler could begin.
#[derive(Debug)]
pub struct BegunCall<'a> {
    pub(crate) side: Side,
    pub(crate) method: Method,
    pub(crate) target: Option<&'a str>,
    pub(crate) peer: Option<&'a PeerAddress>,
    pub(crate) metadata: &'a Metadata,
    pub(crate) deadline: Option<Deadline>,
}

impl<'a> BegunCall<'a> {
    /// Which end of the call this is.
    pub fn side(&self) -> Side {
        self.side
    }

    /// The method that is called. On a server with interceptors it may be
    /// [`Method::UNKNOWN`].
    pub fn method(&self) -> Method {
        self.method
    }

    /// The channel's target with its scheme, as `dns:///orders.example:443`; `None` on a
    /// server.
    pub fn target(&self) -> Option<&'a str> {
        self.target
    }

    /// Where the call came from, behind a proxy the proxy; `None` on a channel, where it is
    /// not known yet.
    pub fn peer(&self) -> Option<&'a PeerAddress> {
        self.peer
    }

    /// On a server what the client sent beside its messages. On a channel what the caller
    /// has said; what interceptors and credentials add is not among it.
    pub fn metadata(&self) -> &'a Metadata {
        self.metadata
    }

    /// When the caller stops waiting; `None` without a deadline. On a channel whose service
    /// config is not known yet it may get one.
    pub fn deadline(&self) -> Option<Deadline> {
        self.deadline
    }
}
