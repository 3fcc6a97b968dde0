//! A context for a test that calls a handler directly.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::context::{Context, Peer};
use crate::call::envelope::Envelope;
use crate::call::extensions::Extensions;
use crate::call::shutdown::{Shutdown, ShutdownSignal, ShutdownStage};
use crate::clock;
use crate::deadline::Deadline;
use crate::metadata::Metadata;
use crate::method::Method;
use crate::transport::PeerAddress;
use crate::transport::peer_identity::PeerIdentity;

/// Builder of a [`Context`] for a test of a handler: made by [`Context::for_test`].
///
/// Unless it says more: a call of [`Method::UNKNOWN`], without metadata and deadline, of a
/// peer in the same process that has no certificate, at a server that never stops.
#[derive(Debug)]
#[must_use = "`build` gives the context"]
pub struct TestContext {
    method: Method,
    metadata: Metadata,
    extensions: Extensions,
    deadline: Option<Deadline>,
    peer: PeerAddress,
    identity: Option<PeerIdentity>,
    shutdown: Option<Arc<ShutdownSignal>>,
}

/// Simulates a server's shutdown, for a test of how a handler reacts to it: pass it to
/// [`TestContext::shutdown`]. Dropping it simulates the drop of the server.
#[derive(Debug, Default)]
pub struct TestShutdown(Shutdown);

impl TestShutdown {
    /// A server that serves.
    pub fn new() -> Self {
        Self::default()
    }

    /// The shutdown begins: [`Context::leaving`] resolves.
    pub fn leave(&self) {
        self.0.reach(ShutdownStage::Leaving);
    }

    /// The grace begins: [`Context::draining`] resolves, and [`Context::leaving`].
    pub fn drain(&self) {
        self.0.reach(ShutdownStage::Draining);
    }
}

impl Context {
    /// A context for a test that calls a handler directly, without a server: the test sets
    /// the properties of the call, and reads from the context what the handler has set.
    /// Dropping the context before the handler is done cancels the call
    /// ([`cancelled`](Self::cancelled)).
    ///
    /// A handler whose requests or replies are a stream needs a server: one in the same
    /// process ([`Channel::in_process`](crate::Channel::in_process)) needs no socket.
    ///
    /// ```
    /// use grpc_runtime::{Code, Context, Metadata, Status};
    ///
    /// /// What is tested: a method of a servicer.
    /// async fn greet(name: String, context: &mut Context) -> Result<String, Status> {
    ///     if context.peer_uri_names() != ["spiffe://shop.example/till"] {
    ///         return Err(Status::permission_denied("for the till alone"));
    ///     }
    ///     context.trailing_metadata_mut().append("x-served-by", "me")?;
    ///     Ok(format!("hello, {name}"))
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Status> {
    /// let mut stranger = Context::for_test().build();
    /// let status = greet("ada".to_owned(), &mut stranger).await.unwrap_err();
    /// assert_eq!(status.code(), Code::PermissionDenied);
    ///
    /// let mut till = Context::for_test()
    ///     .metadata(Metadata::from_pairs([("x-user", "ada")])?)
    ///     .peer_uri_names(["spiffe://shop.example/till"])
    ///     .build();
    /// assert_eq!(greet("ada".to_owned(), &mut till).await?, "hello, ada");
    /// assert_eq!(till.trailing_metadata_mut().get("x-served-by"), Some("me"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn for_test() -> TestContext {
        TestContext {
            method: Method::UNKNOWN,
            metadata: Metadata::new(),
            extensions: Extensions::default(),
            deadline: None,
            peer: PeerAddress::InProcess,
            identity: None,
            shutdown: None,
        }
    }
}

impl TestContext {
    /// The method that was called ([`Context::method`]).
    pub fn method(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    /// Sets the initial metadata of the caller ([`Context::metadata`]).
    pub fn metadata(mut self, metadata: Metadata) -> Self {
        self.metadata = metadata;
        self
    }

    /// Adds a value that an interceptor would leave for the handler
    /// ([`Context::extensions`]). One value of each type; a later one replaces an earlier
    /// one.
    pub fn extension<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.extensions.insert(value);
        self
    }

    /// Sets the call's deadline ([`Context::deadline`]). The handler's future is not dropped
    /// when it passes: only a server does that.
    pub fn deadline(mut self, deadline: Deadline) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// The same, from now on. A time that is too long for the clock is none.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.deadline = Deadline::after(clock::now(), timeout);
        self
    }

    /// Where the call came from ([`Context::peer`]).
    pub fn peer(mut self, peer: PeerAddress) -> Self {
        self.peer = peer;
        self
    }

    /// The caller's certificates in DER, its own first ([`Context::peer_certificates`]).
    /// They are not read: say the [names](Self::peer_dns_names) in them too.
    pub fn peer_certificates(mut self, certificates: impl IntoIterator<Item = Bytes>) -> Self {
        self.identity().certificates = certificates.into_iter().collect();
        self
    }

    /// The DNS names in the caller's certificate ([`Context::peer_dns_names`]).
    pub fn peer_dns_names<T: Into<String>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.identity().dns_names = names.into_iter().map(Into::into).collect();
        self
    }

    /// The URIs in the caller's certificate ([`Context::peer_uri_names`]).
    pub fn peer_uri_names<T: Into<String>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.identity().uri_names = names.into_iter().map(Into::into).collect();
        self
    }

    /// The server's end ([`Context::leaving`], [`Context::draining`]), of which the test says
    /// when it comes.
    ///
    /// ```
    /// use grpc_runtime::{Context, TestShutdown};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let server = TestShutdown::new();
    /// let context = Context::for_test().shutdown(&server).build();
    /// let leaving = context.leaving();
    /// server.leave();
    /// leaving.await;
    /// # }
    /// ```
    pub fn shutdown(mut self, server: &TestShutdown) -> Self {
        self.shutdown = Some(Arc::clone(server.0.signal()));
        self
    }

    fn identity(&mut self) -> &mut PeerIdentity {
        self.identity.get_or_insert(PeerIdentity {
            certificates: Vec::new(),
            dns_names: Vec::new(),
            uri_names: Vec::new(),
        })
    }

    /// The context.
    pub fn build(self) -> Context {
        let mut envelope = Envelope::take();
        envelope.request = self.metadata;
        envelope.extensions = self.extensions;
        envelope.belong_to(self.shutdown.as_ref());
        let peer = Peer {
            address: self.peer,
            identity: self.identity.map(Arc::new),
        };
        Context::new(envelope, self.method, self.deadline, peer, None)
    }
}

#[cfg(test)]
mod tests;
