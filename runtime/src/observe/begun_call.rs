//! A value for observers: a call that begins.

use crate::deadline::Deadline;
use crate::framing::Side;
use crate::metadata::Metadata;
use crate::method::Method;
use crate::transport::PeerAddress;

/// A call that begins: on a channel when its caller makes it, before interceptors,
/// credentials and the wait for a connection; on a server when its handler could start.
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

    /// The client's address, or the proxy's behind a proxy. `None` on a channel, where the
    /// server is not chosen yet.
    pub fn peer(&self) -> Option<&'a PeerAddress> {
        self.peer
    }

    /// On a server the request's metadata. On a channel the caller's metadata, without what
    /// interceptors and credentials add.
    pub fn metadata(&self) -> &'a Metadata {
        self.metadata
    }

    /// The call's deadline; `None` without one. On a channel a service config that is still
    /// to come may set one.
    pub fn deadline(&self) -> Option<Deadline> {
        self.deadline
    }
}
