//! A handler's view of its call: the peer, metadata and deadline, and setters for what goes
//! out besides the messages.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::ending::{Ending, Over};
use crate::call::envelope::{Envelope, Parting};
use crate::call::extensions::Extensions;
use crate::call::held_places::HeldPlaces;
use crate::call::load_report::LoadReport;
use crate::call::shutdown::{ShutdownSignal, ShutdownStage};
use crate::call::state::CallState;
use crate::clock;
use crate::deadline::Deadline;
use crate::framing::Compression;
use crate::metadata::Metadata;
use crate::method::Method;
use crate::status::{Code, Status};
use crate::transport::PeerAddress;
use crate::transport::peer_identity::PeerIdentity;

/// The client at the other end of a connection.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) address: PeerAddress,
    /// The identity in its verified certificate, if it sent one.
    pub(crate) identity: Option<Arc<PeerIdentity>>,
}

impl Peer {
    /// A peer of which no more is known.
    pub(crate) fn at(address: PeerAddress) -> Self {
        Self {
            address,
            identity: None,
        }
    }
}

/// Data of a call to a method that the server does not have. All such calls share one route.
#[derive(Debug)]
pub(super) struct Unknown {
    pub(super) path: Box<str>,
    /// The answer, which names the path.
    pub(super) status: Status,
}

/// One call, as its handler sees it.
///
/// When the caller cancels, its deadline passes or its connection is lost, the
/// handler's future is dropped: clean up in destructors, and spawn what must
/// outlive the call.
///
/// ```
/// # use grpc_runtime::{Context, Status};
/// fn who_calls(context: &mut Context) -> Result<String, Status> {
///     let user = context.metadata().get("x-user").unwrap_or("nobody").to_owned();
///     context.trailing_metadata_mut().append("x-served-by", "me")?;
///     Ok(format!("{user} at {}", context.peer()))
/// }
/// ```
#[derive(Debug)]
pub struct Context {
    /// Boxed, since a context is moved about more often than it is looked at.
    envelope: Box<Envelope>,
    method: Method,
    deadline: Option<Deadline>,
    peer: Peer,
    /// The call's sending side, where the response streams.
    stream: Option<Arc<CallState>>,
    over: Over,
}

impl Context {
    pub(crate) fn new(
        envelope: Box<Envelope>,
        method: Method,
        deadline: Option<Deadline>,
        peer: Peer,
        stream: Option<Arc<CallState>>,
    ) -> Self {
        Self {
            envelope,
            method,
            deadline,
            peer,
            stream,
            over: Over::default(),
        }
    }

    /// The call has these until its handler is done.
    pub(super) fn hold(&mut self, places: HeldPlaces) {
        self.envelope.held = Some(places);
    }

    /// The context that the handler gets while interceptors stand around it.
    /// This one is empty until the handler's envelope comes
    /// [back](Self::take_back).
    pub(super) fn lend(&mut self) -> Self {
        self.envelope.is_lent = true;
        let mut place = Envelope::take();
        place.belong_to(self.envelope.shutdown.as_ref());
        Self {
            envelope: std::mem::replace(&mut self.envelope, place),
            method: self.method,
            deadline: self.deadline,
            peer: self.peer.clone(),
            stream: self.stream.clone(),
            over: std::mem::take(&mut self.over),
        }
    }

    pub(super) fn take_back(&mut self, envelope: Box<Envelope>) {
        std::mem::replace(&mut self.envelope, envelope).keep();
        self.envelope.is_lent = false;
        self.envelope.compression.is_settled = true;
    }

    /// The method that was called; to a server's interceptors it may be
    /// [`Method::UNKNOWN`].
    pub fn method(&self) -> Method {
        self.method
    }

    /// The path that was called, `/package.Service/Method`; also for a method that the
    /// server does not have. Use [`method`](Self::method) as the key of metrics instead:
    /// callers can make up any number of paths.
    pub fn path(&self) -> &str {
        let unknown = self.extensions().get::<Unknown>();
        unknown.map_or(self.method.path(), |unknown| &unknown.path)
    }

    /// The initial metadata that the caller sent.
    pub fn metadata(&self) -> &Metadata {
        &self.envelope.request
    }

    /// The same metadata, mutable. The handler and the interceptors inside of this one see
    /// what an interceptor adds or removes.
    pub fn metadata_mut(&mut self) -> &mut Metadata {
        &mut self.envelope.request
    }

    /// Values by type, shared between interceptors and the handler.
    pub fn extensions(&self) -> &Extensions {
        &self.envelope.extensions
    }

    /// The same, to change.
    pub fn extensions_mut(&mut self) -> &mut Extensions {
        &mut self.envelope.extensions
    }

    /// When the caller stops waiting; `None` if it set no deadline.
    pub fn deadline(&self) -> Option<Deadline> {
        self.deadline
    }

    /// The time until the deadline, zero once it has passed; `None` without one.
    pub fn time_remaining(&self) -> Option<Duration> {
        self.deadline
            .map(|deadline| deadline.remaining(clock::now()))
    }

    /// Where the call came from. Behind a balancer that is the balancer, unless it names
    /// its clients ([`ProxyProtocol`](crate::ProxyProtocol)).
    pub fn peer(&self) -> &PeerAddress {
        &self.peer.address
    }

    /// The caller's certificate chain in DER, its own certificate first, where
    /// mutual TLS verified one; else empty. It is the connection's: every call
    /// on it has the same.
    pub fn peer_certificates(&self) -> &[Bytes] {
        let identity = self.peer.identity.as_deref();
        identity.map_or(&[], |identity| &identity.certificates)
    }

    /// The DNS names for which the caller's own certificate was issued (its
    /// subject alternative names), where mutual TLS verified one; else empty. A
    /// name may begin with `*.`.
    ///
    /// They are as trustworthy as the certificate's issuer, which vouches that they are the
    /// caller's. With roots that sign for anyone, as the web's do, a name does not prove who
    /// the caller is.
    pub fn peer_dns_names(&self) -> &[String] {
        let identity = self.peer.identity.as_deref();
        identity.map_or(&[], |identity| &identity.dns_names)
    }

    /// The URIs for which the caller's certificate was issued, for example SPIFFE IDs of
    /// workloads; as trustworthy as the [`peer_dns_names`](Self::peer_dns_names). They are
    /// copied from the certificate unchecked, and may be malformed.
    ///
    /// ```
    /// use grpc_runtime::{Context, Status};
    ///
    /// /// Lets only the shop's own workloads in.
    /// fn authorize(context: &Context) -> Result<(), Status> {
    ///     // A SPIFFE certificate has one URI, no more.
    ///     match context.peer_uri_names() {
    ///         [id] if id.starts_with("spiffe://shop.example/") => Ok(()),
    ///         [] => Err(Status::unauthenticated("a certificate with an identity, please")),
    ///         _ => Err(Status::permission_denied("only for the shop's workloads")),
    ///     }
    /// }
    /// ```
    pub fn peer_uri_names(&self) -> &[String] {
        let identity = self.peer.identity.as_deref();
        identity.map_or(&[], |identity| &identity.uri_names)
    }

    /// Waits until the call is over, in a task that the handler spawned: `true` if it was
    /// cancelled, ran out of time or lost its connection, so that the caller no longer waits
    /// for the answer; `false` if the handler has answered.
    ///
    /// The handler itself need not ask: its future is dropped. The future that
    /// this gives may outlive it.
    ///
    /// ```
    /// # use grpc_runtime::Context;
    /// fn index_in_the_background(context: &Context) {
    ///     let cancelled = context.cancelled();
    ///     tokio::spawn(async move {
    ///         if cancelled.await {
    ///             // stop, and undo what has been done
    ///         }
    ///     });
    /// }
    /// ```
    pub fn cancelled(&self) -> impl Future<Output = bool> + Send + 'static + use<> {
        self.ending().cancelled()
    }

    /// Waits until [`Server::shutdown`](crate::Server::shutdown) has begun: an endless
    /// stream may end itself then. The call itself goes on during the
    /// [notice](crate::ServerBuilder::shutdown_notice) and the grace. The future resolves at
    /// once if the shutdown has begun already, and when the server is dropped (also a server
    /// [in process](crate::Channel::in_process)). In a context [for a test](Self::for_test)
    /// it never resolves unless [`TestContext::shutdown`](crate::TestContext::shutdown) was
    /// called.
    ///
    /// The future may outlive the call and the server. A call that does not ask pays nothing.
    ///
    /// ```
    /// # use grpc_runtime::{Context, Sender, Status};
    /// # use tokio::sync::broadcast;
    /// async fn watch(
    ///     news: &mut broadcast::Receiver<String>,
    ///     replies: &mut Sender<String>,
    ///     context: &mut Context,
    /// ) -> Result<(), Status> {
    ///     let leaving = context.leaving();
    ///     tokio::pin!(leaving);
    ///     loop {
    ///         tokio::select! {
    ///             // The caller knows by this that it should call another server.
    ///             () = &mut leaving => return Err(Status::unavailable("the server leaves")),
    ///             Ok(text) = news.recv() => replies.send(text).await?,
    ///         }
    ///     }
    /// }
    /// ```
    pub fn leaving(&self) -> impl Future<Output = ()> + Send + 'static + use<> {
        let server = self.envelope.shutdown.as_ref();
        ShutdownSignal::reached(server, ShutdownStage::Leaving)
    }

    /// As [`leaving`](Self::leaving), but waits until the
    /// [notice](crate::ServerBuilder::shutdown_notice) is over too and the grace begins, at
    /// whose end the call is cut: the moment at which work that takes long is laid down.
    /// Without a notice it is the same moment.
    pub fn draining(&self) -> impl Future<Output = ()> + Send + 'static + use<> {
        let server = self.envelope.shutdown.as_ref();
        ShutdownSignal::reached(server, ShutdownStage::Draining)
    }

    /// Sets the metadata that is sent before the first response message. It replaces earlier
    /// initial metadata.
    ///
    /// It is sent together with that message, or with the status if there is no message. In
    /// a bidirectional call it is also sent alone, 1 ms after the handler began to wait for
    /// a message, since some clients send no message before they have received it. In such
    /// calls set it before the first receive, or [hold it](Self::hold_initial_metadata).
    ///
    /// # Errors
    /// `INTERNAL` if it has already gone or is settled.
    pub fn set_initial_metadata(&mut self, metadata: Metadata) -> Result<(), Status> {
        self.put_initial(metadata, false)
    }

    /// Sends initial metadata now, ahead of any message, where the response is a
    /// stream; a unary response's goes out with its message.
    ///
    /// For a stream of events that may be quiet at first it is how a client learns
    /// that its subscription stands; some, that of tonic 0.14.9 among them, do not
    /// get their stream before.
    ///
    /// # Errors
    /// As [`set_initial_metadata`](Self::set_initial_metadata).
    pub fn send_initial_metadata(&mut self, metadata: Metadata) -> Result<(), Status> {
        self.put_initial(metadata, true)
    }

    /// Holds initial metadata back until the first response message, where both sides
    /// stream: for a handler whose initial metadata or [compression](Self::set_compression)
    /// depends on what the client sends. A client that sends no message before it has
    /// received initial metadata then waits for ever. Other kinds of calls never send it
    /// alone.
    ///
    /// # Errors
    /// `INTERNAL` if the handler has already asked for a message.
    ///
    /// ```
    /// # use grpc_runtime::{Context, Metadata, Receiver, Sender, Status};
    /// async fn chat(
    ///     requests: &mut Receiver<String>,
    ///     replies: &mut Sender<String>,
    ///     context: &mut Context,
    /// ) -> Result<(), Status> {
    ///     context.hold_initial_metadata()?;
    ///     if let Some(room) = requests.next().await? {
    ///         context.set_initial_metadata(Metadata::from_pairs([("room", room.as_str())])?)?;
    ///         replies.send("welcome".to_owned()).await?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    pub fn hold_initial_metadata(&mut self) -> Result<(), Status> {
        match &self.stream {
            Some(stream) if !stream.hold_head() => Err(too_late()),
            _ => Ok(()),
        }
    }

    fn put_initial(&mut self, metadata: Metadata, now: bool) -> Result<(), Status> {
        match &self.stream {
            None => self.envelope.initial = metadata,
            Some(stream) if stream.push_head(metadata, now) => {}
            Some(_) => return Err(too_late()),
        }
        Ok(())
    }

    /// The metadata that is sent to the caller after the last message, whether the call
    /// succeeds or fails.
    pub fn trailing_metadata_mut(&mut self) -> &mut Metadata {
        &mut self.envelope.trailing
    }

    /// The server's load report for this call (gRFC A51), to fill in. It is sent in the
    /// trailing metadata, and [`WeightedRoundRobin`](crate::WeightedRoundRobin) derives this
    /// server's weight from it. If the handler does not call this method, no report is sent.
    /// That policy needs calls a second and a utilization, both above 0.
    ///
    /// ```
    /// # use grpc_runtime::{Context, Status};
    /// fn answer(context: &mut Context) -> Result<String, Status> {
    ///     // The program measures these over some seconds; the runtime does not.
    ///     let (busy, calls_a_second) = (0.7, 1_200.0);
    ///     let load = context.load();
    ///     load.set_cpu_utilization(busy).set_qps(calls_a_second);
    ///     load.set_request_cost("rows", 13.0);
    ///     Ok("done".to_owned())
    /// }
    /// ```
    pub fn load(&mut self) -> &mut LoadReport {
        self.envelope.load.get_or_insert_default()
    }

    /// Ends the call without a status: once the handler has returned, the stream is reset
    /// with this HTTP/2 error code (RFC 9113 section 7), and the handler's result is not
    /// sent. Messages that it streamed before are sent. For tests of clients, and for
    /// proxies that pass on a reset. If [`drain_connection`](Self::drain_connection) or
    /// [`cut_connection`](Self::cut_connection) are called too, the last call wins.
    ///
    /// ```
    /// # use grpc_runtime::{Context, Status};
    /// const REFUSED_STREAM: u32 = 7;
    ///
    /// fn refuse(context: &mut Context) -> Result<String, Status> {
    ///     context.reset_stream(REFUSED_STREAM);
    ///     // Observers and interceptors hear of this.
    ///     Err(Status::unavailable("the stream was reset"))
    /// }
    /// ```
    pub fn reset_stream(&mut self, code: u32) {
        self.envelope.parting = Parting::Resets(code);
    }

    /// Has the call's connection take no more calls once the handler is done: its answer is
    /// sent, GOAWAY goes out, and the connection's other calls come to their ends, as at
    /// [`max_connection_age`](crate::ServerBuilder::max_connection_age).
    pub fn drain_connection(&mut self) {
        self.envelope.parting = Parting::Drains;
    }

    /// Closes the call's connection once the handler has returned, without a status and
    /// without GOAWAY. Data sent before arrives; all calls on the connection are lost. For
    /// tests of clients.
    pub fn cut_connection(&mut self) {
        self.envelope.parting = Parting::Cuts;
    }

    /// Whether the request came [compressed](Compression), where it is one message; for a
    /// stream of requests see [`Receiver::was_compressed`](crate::Receiver::was_compressed).
    pub fn request_was_compressed(&self) -> bool {
        self.envelope.compression.request_was_compressed
    }

    /// Sets how this call's response messages are compressed, in place of the setting of its
    /// service or server. A caller that does not accept the encoding gets them uncompressed.
    ///
    /// A stream may still leave single messages as they are:
    /// [`Sender::send_uncompressed`](crate::Sender::send_uncompressed).
    ///
    /// # Errors
    /// `INTERNAL` once a message of a streamed response, or its
    /// [initial metadata](Self::set_initial_metadata), has gone or is settled; or,
    /// in an interceptor, once the handler has ended.
    ///
    /// ```
    /// # use grpc_runtime::{Compression, Context, Status};
    /// fn answer(size: usize, context: &mut Context) -> Result<String, Status> {
    ///     if size > 1_000 {
    ///         context.set_compression(Compression::Gzip)?;
    ///     }
    ///     Ok("a".repeat(size))
    /// }
    /// ```
    pub fn set_compression(&mut self, compression: Compression) -> Result<(), Status> {
        let call = &mut self.envelope.compression;
        let encoding = call.accepted.allow(compression);
        let stream = self.stream.as_ref();
        if call.is_settled || stream.is_some_and(|stream| !stream.set_encoding(encoding)) {
            return Err(Status::new(
                Code::Internal,
                "the response has begun: its compression is settled",
            ));
        }
        call.response.encoding = encoding;
        Ok(())
    }

    /// Notifies tasks and downstream calls of the call's end.
    pub(crate) fn ending(&self) -> &Arc<Ending> {
        self.over.ending(self.deadline)
    }

    /// The encoding of a response of one message.
    pub(crate) fn encoding(&self) -> Compression {
        self.envelope.compression.response.encoding
    }

    /// The response's one message was compressed, and had so many bytes before that, prefix
    /// included.
    pub(super) fn compressed_from(&mut self, plain: usize) {
        self.envelope.compression.plain = plain;
    }

    /// The call's metadata, at its end.
    pub(crate) fn into_envelope(self) -> Box<Envelope> {
        self.over.answered();
        self.envelope
    }
}

fn too_late() -> Status {
    let text = "the initial metadata has gone, or was settled when the handler first \
                asked for a message (Context::hold_initial_metadata)";
    Status::new(Code::Internal, text)
}
