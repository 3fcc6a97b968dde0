//! What a server's user says of its limits: values, which others hold calls and
//! connections to.

use std::collections::BTreeMap;
use std::time::Duration;

use super::deadline_policy::DeadlinePolicy;
use crate::metadata::Metadata;
use crate::status::{Code, Status};

/// What a server lets its clients do, in one place:
/// [`ServerBuilder::limits`](crate::ServerBuilder::limits).
///
/// What protects the server's memory and its time against peers that mean harm holds by
/// default, and needs none of this. What is here is for the program to say, since only it
/// knows how much work it can do; so nothing of it is set unless it is.
///
/// | of | set by | unless set | what the client sees |
/// |---|---|---|---|
/// | connections, those that shake hands among them | [`connections`](Self::connections) | no limit: the system's limit of descriptors ends them, which the server survives | the connection is closed before a byte: `UNAVAILABLE` once it knows no other server |
/// | connections of one address | [`connections_per_peer`](Self::connections_per_peer) | no limit: behind one proxy are all clients there are | the same |
/// | calls begun on one connection | [`calls_per_connection`](Self::calls_per_connection) | no limit: a connection costs most when it is made | GOAWAY; no call fails |
/// | calls at once on one connection | [`Http2Options::max_concurrent_streams`] | 256, as much as a page of a browser or a busy proxy has | nothing: its calls wait, or go out once more |
/// | calls at once: of the server, a service, a method | [`calls`](Self::calls), [`service`](Self::service), [`method`](Self::method) | no limit: a handler that waits costs little, and what it waits for knows its own | `RESOURCE_EXHAUSTED` or `UNAVAILABLE`, with when to try again, if set |
/// | the time of a call | [`deadlines`](Self::deadlines) | as the client sets it, as gRPC has it | `DEADLINE_EXCEEDED` |
/// | a request, of the server, a service or a method | [`ServerBuilder::max_receive_message_size`], [`Service::max_receive_message_size`], [`MethodLimits`] | 4 MiB, as all of gRPC has it | `RESOURCE_EXHAUSTED` |
/// | a response | [`ServerBuilder::max_send_message_size`], [`Service::max_send_message_size`], [`MethodLimits`] | no limit: it is the program's own | `RESOURCE_EXHAUSTED` |
/// | a call's metadata | [`Http2Options::max_header_list_size`] | 16 KiB | `RESOURCE_EXHAUSTED` |
/// | bytes that a connection holds | [`Http2Options::connection_buffer`], [`Http2Options::message_buffer`] | 16 MiB and 64 MiB | it sends more slowly |
/// | bytes that the server holds | [`ServerBuilder::memory_limit`] | 2 GiB | it sends more slowly |
/// | the rate of a message that holds memory which others wait for | 80 KiB in 20 s; none while nobody waits | always | `RESOURCE_EXHAUSTED` |
/// | the time of a handshake | [`Http2Options::handshake_timeout`] | 10 s | the connection is closed |
/// | the time of a call's head | [`Http2Options::header_timeout`] | 20 s | GOAWAY `ENHANCE_YOUR_CALM` |
/// | calls that are begun to be reset | [`Http2Options::reset_burst`] | 500, and 500 a second | GOAWAY `ENHANCE_YOUR_CALM` |
/// | frames that carry no work | [`Http2Options::control_burst`] | 10,000, and 1,000 a second | GOAWAY `ENHANCE_YOUR_CALM` |
/// | PINGs | [`ServerBuilder::permit_keepalive_time`] | one in 5 minutes, while nothing is sent | GOAWAY `ENHANCE_YOUR_CALM` |
/// | age and idleness of a connection | [`ServerBuilder::max_connection_age`], [`ServerBuilder::max_connection_idle`] | no limit | GOAWAY; no call fails |
///
/// What no limit of bytes covers is bounded by the number of calls, which is `connections` ×
/// `max_concurrent_streams`: each holds its metadata, and as much of its response as its
/// client does not read. Of a unary call that is all of it, which the handler made; of a
/// stream it is `send_buffer` and one message, before its handler waits.
/// [`calls`](Self::calls) does not bound that, since a call's place is free when its handler
/// has ended. So a server whose responses are large and whose clients are strangers bounds
/// all three, or the size of responses.
///
/// [Observers](crate::Observer) hear of each connection that is refused
/// ([`connection_failed`](crate::Observer::connection_failed)) and of each call
/// ([`call_refused`](crate::Observer::call_refused)).
///
/// ```
/// use std::time::Duration;
///
/// use grpc_runtime::{CallLimit, DeadlinePolicy, MethodLimits, Server, ServerLimits};
///
/// let limits = ServerLimits::new()
///     .connections(10_000)
///     .connections_per_peer(100)
///     .calls(CallLimit::new(1_000).queue(1_000))
///     .deadlines(DeadlinePolicy::new().at_most(Duration::from_secs(60)));
/// let server = Server::builder().limits(limits);
/// # drop(server);
/// ```
///
/// [`Http2Options::max_concurrent_streams`]: crate::Http2Options::max_concurrent_streams
/// [`Http2Options::max_header_list_size`]: crate::Http2Options::max_header_list_size
/// [`Http2Options::connection_buffer`]: crate::Http2Options::connection_buffer
/// [`Http2Options::message_buffer`]: crate::Http2Options::message_buffer
/// [`Http2Options::handshake_timeout`]: crate::Http2Options::handshake_timeout
/// [`Http2Options::header_timeout`]: crate::Http2Options::header_timeout
/// [`Http2Options::reset_burst`]: crate::Http2Options::reset_burst
/// [`Http2Options::control_burst`]: crate::Http2Options::control_burst
/// [`ServerBuilder::max_receive_message_size`]: crate::ServerBuilder::max_receive_message_size
/// [`ServerBuilder::max_send_message_size`]: crate::ServerBuilder::max_send_message_size
/// [`ServerBuilder::memory_limit`]: crate::ServerBuilder::memory_limit
/// [`ServerBuilder::permit_keepalive_time`]: crate::ServerBuilder::permit_keepalive_time
/// [`ServerBuilder::max_connection_age`]: crate::ServerBuilder::max_connection_age
/// [`ServerBuilder::max_connection_idle`]: crate::ServerBuilder::max_connection_idle
/// [`Service::max_receive_message_size`]: crate::Service::max_receive_message_size
/// [`Service::max_send_message_size`]: crate::Service::max_send_message_size
#[derive(Debug, Clone, Default)]
pub struct ServerLimits {
    pub(in crate::server) connections: Option<usize>,
    pub(in crate::server) connections_per_peer: Option<usize>,
    pub(in crate::server) calls_per_connection: Option<u32>,
    /// What holds for all methods; for the calls together.
    pub(super) all: MethodLimits,
    pub(super) services: BTreeMap<String, MethodLimits>,
    pub(super) methods: BTreeMap<String, MethodLimits>,
}

impl ServerLimits {
    /// None of the limits that are set here.
    pub fn new() -> Self {
        Self::default()
    }

    /// The connections that the server has at once, accepted or
    /// [given](crate::Server::serve_stream), those whose TLS shakes hands among them. One
    /// above it is closed after it was accepted, before anything is read from it or written,
    /// and observers hear of a failed
    /// [admission](crate::ConnectionStep::Admission). No limit unless set: what a
    /// connection may hold is bounded by its own limits, and one that is idle holds next
    /// to nothing. With 0 none is served. Channels
    /// [in process](crate::Channel::in_process) do not count.
    #[must_use]
    pub fn connections(mut self, most: usize) -> Self {
        self.connections = Some(most);
        self
    }

    /// As [`connections`](Self::connections), of one IP address over TCP; of IPv6's the
    /// first 64 bits, which is the least that a customer of a network has for itself. Other
    /// streams count as nobody's. No limit unless set: all clients behind a proxy or
    /// a network's translator have one address. Set it where clients come by themselves.
    #[must_use]
    pub fn connections_per_peer(mut self, most: usize) -> Self {
        self.connections_per_peer = Some(most);
        self
    }

    /// Has a connection take no more calls after about so many, give or take a tenth by
    /// chance, as at
    /// [`max_connection_age`](crate::ServerBuilder::max_connection_age): the client is told to
    /// connect anew (GOAWAY), which a balancer sends elsewhere, and calls that run come to
    /// their ends, for as long as
    /// [`max_connection_age_grace`](crate::ServerBuilder::max_connection_age_grace) lets
    /// them. Calls that were on their way are served too, so more come than this. No limit
    /// unless set, nor above `u32::MAX`; raised to 1 where it is 0.
    #[must_use]
    pub fn calls_per_connection(mut self, most: usize) -> Self {
        self.calls_per_connection = u32::try_from(most.max(1)).ok();
        self
    }

    /// The calls that run at once at the whole server, of services with a limit of their
    /// own too. No limit unless set.
    ///
    /// Whatever the server serves takes places: health checks, which a full server then
    /// refuses, and streams that last as long as their clients, as health's Watch and
    /// reports of load. Where there are such, limit the other [services](Self::service).
    #[must_use]
    pub fn calls(mut self, limit: CallLimit) -> Self {
        self.all.calls = Some(limit);
        self
    }

    /// What the server makes of its callers' deadlines. As callers set them unless said.
    #[must_use]
    pub fn deadlines(mut self, policy: DeadlinePolicy) -> Self {
        self.all.deadlines = Some(policy);
        self
    }

    /// Limits of one service, `package.Service`; its [calls](MethodLimits::calls) are those
    /// of all its methods together. What is said twice, the later holds.
    ///
    /// A server that has no such service does not
    /// [start](crate::ServerError::NothingToLimit).
    #[must_use]
    pub fn service(mut self, name: impl Into<String>, limits: MethodLimits) -> Self {
        self.services.insert(name.into(), limits);
        self
    }

    /// Limits of one method, `package.Service/Method` or the same with a slash ahead, as
    /// [`Method::path`](crate::Method::path) gives it. They hold before those of its service
    /// and its server, but calls need a place with each of the three that has a limit.
    ///
    /// A server that has no such method does not
    /// [start](crate::ServerError::NothingToLimit).
    ///
    /// ```
    /// use grpc_runtime::{CallLimit, MethodLimits, ServerLimits};
    ///
    /// let reports = MethodLimits::new().calls(CallLimit::new(4).queue(100));
    /// let uploads = MethodLimits::new().max_receive_message_size(64 << 20);
    /// let limits = ServerLimits::new()
    ///     .method("shop.Orders/Report", reports)
    ///     .method("shop.Orders/Upload", uploads);
    /// # drop(limits);
    /// ```
    #[must_use]
    pub fn method(mut self, path: impl AsRef<str>, limits: MethodLimits) -> Self {
        let name = path.as_ref();
        let name = name.strip_prefix('/').unwrap_or(name);
        self.methods.insert(name.to_owned(), limits);
        self
    }
}

/// Limits of one method, or of each method of a service: [`ServerLimits::method`] and
/// [`ServerLimits::service`]. What is not set is as the service, or else the server, has it.
#[derive(Debug, Clone, Default)]
pub struct MethodLimits {
    pub(super) calls: Option<CallLimit>,
    pub(super) deadlines: Option<DeadlinePolicy>,
    pub(super) max_receive_message_size: Option<usize>,
    pub(super) max_send_message_size: Option<usize>,
}

impl MethodLimits {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// The calls that run at once; of a service those of all its methods together. No limit
    /// unless set.
    #[must_use]
    pub fn calls(mut self, limit: CallLimit) -> Self {
        self.calls = Some(limit);
        self
    }

    /// What becomes of callers' deadlines, in place of what the service or the server says.
    #[must_use]
    pub fn deadlines(mut self, policy: DeadlinePolicy) -> Self {
        self.deadlines = Some(policy);
        self
    }

    /// The largest request message, in bytes, in place of what the service or the server
    /// says. A larger one fails its call with `RESOURCE_EXHAUSTED`.
    #[must_use]
    pub fn max_receive_message_size(mut self, bytes: usize) -> Self {
        self.max_receive_message_size = Some(bytes);
        self
    }

    /// The largest response message, in bytes, in place of what the service or the server
    /// says. A larger one fails its call with `RESOURCE_EXHAUSTED`.
    #[must_use]
    pub fn max_send_message_size(mut self, bytes: usize) -> Self {
        self.max_send_message_size = Some(bytes);
        self
    }
}

/// How many calls run at once, and what becomes of more.
///
/// A call has a place from the moment its handler may begin (where methods take one message,
/// that is there by then: who sends one slowly takes no place from others) until the
/// handler's future is gone: in whatever way the call ends, and only then, so that the
/// handlers of calls that clients reset count for as long as they are there.
///
/// Who finds no place waits in a [queue](Self::queue), first come first served; its deadline
/// and its caller's leaving take it out of it. Who finds that full is refused: as soon as
/// the head of its request is there, before its message takes memory, or else when the
/// request is whole. A refusal costs its client nothing if something of its message comes
/// behind the head, as clients send it; one that sends heads alone is held to
/// [`Http2Options::reset_burst`](crate::Http2Options::reset_burst), and its connection ends
/// above that.
///
/// ```
/// use std::time::Duration;
///
/// use grpc_runtime::{CallLimit, Server, ServerLimits};
///
/// // Clients that retry `UNAVAILABLE` try again, half a second later.
/// let limit = CallLimit::new(64)
///     .queue(256)
///     .unavailable()
///     .retry_after(Duration::from_millis(500));
/// let server = Server::builder().limits(ServerLimits::new().calls(limit));
/// # drop(server);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallLimit {
    pub(super) most: usize,
    pub(super) queue: usize,
    is_unavailable: bool,
    retry_after: Option<Duration>,
}

impl CallLimit {
    /// `most` calls at once; those beyond are refused with `RESOURCE_EXHAUSTED`. With 0 all
    /// are. Above `u32::MAX` it is that.
    pub fn new(most: usize) -> Self {
        Self {
            most,
            queue: 0,
            is_unavailable: false,
            retry_after: None,
        }
    }

    /// How many calls may wait for a place. 0 unless set: a queue makes a burst bearable and
    /// an overload worse, since its calls have the less time left the longer it is. A call
    /// holds its request while it waits. One that has waited for its method's place, or its
    /// service's, may then wait for the server's, however many do.
    #[must_use]
    pub fn queue(mut self, calls: usize) -> Self {
        self.queue = calls;
        self
    }

    /// Refuses with `UNAVAILABLE` in place of `RESOURCE_EXHAUSTED`: what clients with the
    /// usual [retry policies](crate::RetryPolicy) send once more, to another server where
    /// there is one. Where there is none that makes an overload worse, unless it says
    /// [when](Self::retry_after).
    #[must_use]
    pub fn unavailable(mut self) -> Self {
        self.is_unavailable = true;
        self
    }

    /// Tells clients that retry what is refused not to do so before this time has passed
    /// (`grpc-retry-pushback-ms`, gRFC A6), in whole milliseconds. They are told nothing
    /// unless set.
    #[must_use]
    pub fn retry_after(mut self, pause: Duration) -> Self {
        self.retry_after = Some(pause);
        self
    }

    /// What is said to those who are turned away from `whom`.
    pub(super) fn refusal(&self, whom: &str) -> Status {
        let code = if self.is_unavailable {
            Code::Unavailable
        } else {
            Code::ResourceExhausted
        };
        let text = format!("{whom} has as many calls as it may (ServerLimits): try again later");
        let status = Status::new(code, text);
        let Some(pause) = self.retry_after else {
            return status;
        };
        // What clients read it as.
        let milliseconds = i32::try_from(pause.as_millis()).unwrap_or(i32::MAX);
        let pushback = [("grpc-retry-pushback-ms", milliseconds.to_string())];
        status.with_metadata(Metadata::from_pairs(pushback).unwrap_or_default())
    }
}
