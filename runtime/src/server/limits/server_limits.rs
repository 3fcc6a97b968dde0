//! The limits that a server's user sets. Values only: admission, gates and route bounds
//! enforce them.

use std::collections::BTreeMap;
use std::time::Duration;

use super::deadline_policy::DeadlinePolicy;
use crate::metadata::Metadata;
use crate::status::{Code, Status};

/// A server's limits for its clients, in one place:
/// [`ServerBuilder::limits`](crate::ServerBuilder::limits).
///
/// Protection of the server's memory and CPU time against hostile peers is on by default and
/// does not need these limits. These depend on how much work the program can do, so none is
/// set by default.
///
/// | of | set by | unless set | what the client sees |
/// |---|---|---|---|
/// | connections, those that shake hands among them | [`connections`](Self::connections) | no limit: the system's limit of descriptors ends them, which the server survives | the connection is closed before a byte: `UNAVAILABLE` once it knows no other server |
/// | connections of one address | [`connections_per_peer`](Self::connections_per_peer) | no limit: behind one proxy are all clients there are | the same |
/// | calls begun on one connection | [`calls_per_connection`](Self::calls_per_connection) | no limit: a connection costs most when it is made | GOAWAY; no call fails |
/// | calls at once on one connection | [`Http2Options::max_concurrent_streams`] | 256, as much as a page of a browser or a busy proxy has | REFUSED_STREAM: its calls wait or are sent again; those with a stream of requests may end with `UNAVAILABLE` |
/// | calls at once: of the server, a service, a method | [`calls`](Self::calls), [`service`](Self::service), [`method`](Self::method) | no limit: a handler that waits costs little, and what it waits for knows its own | `RESOURCE_EXHAUSTED` or `UNAVAILABLE`, with when to try again, if set |
/// | the time of a call | [`deadlines`](Self::deadlines) | as the client sets it, as gRPC has it | `DEADLINE_EXCEEDED` |
/// | a request, of the server, a service or a method | [`ServerBuilder::max_receive_message_size`], [`Service::max_receive_message_size`], [`MethodLimits`] | 4 MiB, as all of gRPC has it | `RESOURCE_EXHAUSTED` |
/// | a response | [`ServerBuilder::max_send_message_size`], [`Service::max_send_message_size`], [`MethodLimits`] | no limit: it is the program's own | `RESOURCE_EXHAUSTED` |
/// | a call's metadata | [`Http2Options::max_header_list_size`] | 16 KiB | `RESOURCE_EXHAUSTED` |
/// | bytes that a connection holds | [`Http2Options::connection_buffer`], [`Http2Options::message_buffer`] | 16 MiB and 64 MiB | it sends more slowly |
/// | bytes that the server holds of requests | [`ServerBuilder::memory_limit`] | half of 2 GiB while they arrive, a quarter until they are read | it sends more slowly |
/// | bytes that the server holds of metadata and of responses | [`ServerBuilder::memory_limit`] | a quarter of 2 GiB | messages come more slowly; new calls and unary responses end with `RESOURCE_EXHAUSTED` |
/// | the rate of a response, or of output, that holds memory | no option | 80 KiB in 20 s while others want memory, as for messages | `RESOURCE_EXHAUSTED`; GOAWAY `ENHANCE_YOUR_CALM` |
/// | the rate of a message that holds memory | no option | 80 KiB in 20 s while others wait for memory: a slow client costs nothing until then | `RESOURCE_EXHAUSTED` |
/// | the time of a handshake | [`Http2Options::handshake_timeout`] | 10 s | GOAWAY `SETTINGS_TIMEOUT`; within TLS the connection is closed |
/// | the time of a call's head | [`Http2Options::header_timeout`] | 20 s | GOAWAY `ENHANCE_YOUR_CALM` |
/// | calls that are begun to be reset | [`Http2Options::reset_burst`] | 500, and 500 a second | GOAWAY `ENHANCE_YOUR_CALM` |
/// | frames that carry no work | [`Http2Options::control_burst`] | 10,000, and 1,000 a second | GOAWAY `ENHANCE_YOUR_CALM` |
/// | PINGs | [`ServerBuilder::permit_keepalive_time`] | one in 5 minutes, without calls one in 2 hours, and two are forgiven | GOAWAY `ENHANCE_YOUR_CALM` |
/// | age and idleness of a connection | [`ServerBuilder::max_connection_age`], [`ServerBuilder::max_connection_idle`] | no limit | GOAWAY; no call fails |
///
/// [`ServerBuilder::memory_limit`] bounds what the server holds of its clients' calls.
/// In addition each connection and each stream may hold a fixed amount, so if clients are
/// untrusted, limit [`connections`](Self::connections) too. What handlers hold is not
/// counted: [`calls`](Self::calls) bounds how many of them run.
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
    /// Limits of all methods; its `calls` counts the calls of all methods together.
    pub(super) all: MethodLimits,
    pub(super) services: BTreeMap<String, MethodLimits>,
    pub(super) methods: BTreeMap<String, MethodLimits>,
}

impl ServerLimits {
    /// No limit is set.
    pub fn new() -> Self {
        Self::default()
    }

    /// The connections that the server has at once, accepted or
    /// [given](crate::Server::serve_stream), those whose TLS shakes hands among them. A
    /// connection above the limit is closed before anything is read or written, and
    /// observers get a failed [admission](crate::ConnectionStep::Admission). Default: no
    /// limit, since each connection has limits of its memory, and an idle one holds little.
    /// With 0 no connection is served. Channels [in process](crate::Channel::in_process) do
    /// not count.
    #[must_use]
    pub fn connections(mut self, most: usize) -> Self {
        self.connections = Some(most);
        self
    }

    /// As [`connections`](Self::connections), for the TCP connections of one IP address; for
    /// IPv6 of one prefix of 64 bits, the smallest that a network assigns to a customer.
    /// Other streams are not counted. Default: no limit, since all clients behind a proxy or
    /// NAT share one address. Set it if clients connect directly.
    #[must_use]
    pub fn connections_per_peer(mut self, most: usize) -> Self {
        self.connections_per_peer = Some(most);
        self
    }

    /// Limits the number of calls of a connection, with a random variation of up to a tenth.
    /// At the limit the client is asked to connect anew (GOAWAY), as at
    /// [`max_connection_age`](crate::ServerBuilder::max_connection_age); a balancer may send
    /// it to another server. Running calls may finish within
    /// [`max_connection_age_grace`](crate::ServerBuilder::max_connection_age_grace). Calls
    /// that were on their way are served too, so there may be more than this number.
    /// Default, and above `u32::MAX`: no limit. 0 counts as 1.
    #[must_use]
    pub fn calls_per_connection(mut self, most: usize) -> Self {
        self.calls_per_connection = u32::try_from(most.max(1)).ok();
        self
    }

    /// Limits the calls that run at once on the whole server, including those of services
    /// with a separate limit. Default: no limit.
    ///
    /// Whatever the server serves takes places: health checks, which a full server then
    /// refuses, and streams that last as long as their clients, as health's Watch and
    /// reports of load. Where there are such, limit the other [services](Self::service).
    #[must_use]
    pub fn calls(mut self, limit: CallLimit) -> Self {
        self.all.calls = Some(limit);
        self
    }

    /// Sets how the server changes its callers' deadlines. Default: unchanged.
    #[must_use]
    pub fn deadlines(mut self, policy: DeadlinePolicy) -> Self {
        self.all.deadlines = Some(policy);
        self
    }

    /// Limits of one service, `package.Service`; its [calls](MethodLimits::calls) are those
    /// of all its methods together. A later call for the same name replaces an earlier one.
    ///
    /// A server that has no such service does not
    /// [start](crate::ServerError::NothingToLimit).
    #[must_use]
    pub fn service(mut self, name: impl Into<String>, limits: MethodLimits) -> Self {
        self.services.insert(name.into(), limits);
        self
    }

    /// Limits of one method, `package.Service/Method` or the same with a slash ahead, as
    /// [`Method::path`](crate::Method::path) gives it. They take precedence over those of
    /// its service and its server, except that a call needs a place of each of the three
    /// that limits [calls](MethodLimits::calls).
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
/// [`ServerLimits::service`]. For values that are not set those of the service, or else of
/// the server, hold.
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

    /// Limits the calls that run at once; for a service those of all its methods together.
    /// Default: no limit.
    #[must_use]
    pub fn calls(mut self, limit: CallLimit) -> Self {
        self.calls = Some(limit);
        self
    }

    /// Sets how callers' deadlines are changed, in place of the setting of the service or
    /// the server.
    #[must_use]
    pub fn deadlines(mut self, policy: DeadlinePolicy) -> Self {
        self.deadlines = Some(policy);
        self
    }

    /// Sets the largest request message, in bytes, in place of the setting of the service or
    /// the server. A larger one fails its call with `RESOURCE_EXHAUSTED`.
    #[must_use]
    pub fn max_receive_message_size(mut self, bytes: usize) -> Self {
        self.max_receive_message_size = Some(bytes);
        self
    }

    /// Sets the largest response message, in bytes, in place of the setting of the service
    /// or the server. A larger one fails its call with `RESOURCE_EXHAUSTED`.
    #[must_use]
    pub fn max_send_message_size(mut self, bytes: usize) -> Self {
        self.max_send_message_size = Some(bytes);
        self
    }
}

/// How many calls run at once, and what becomes of more.
///
/// A call has a place from the moment its handler may begin until the handler's future has
/// ended or is dropped, so that handlers of calls that clients reset count as long as they
/// exist. For methods that take one message the handler may begin once the message is
/// complete: a client that sends slowly takes no place from others.
///
/// A call that finds no place waits in a [queue](Self::queue), first come first served; it
/// leaves the queue when its deadline passes or its caller cancels. If the queue is full,
/// the call is refused: when the head of its request arrives, before its message takes
/// memory, or else when the request is complete. Refusals of requests with data after the
/// head, as clients send them, are not limited; refusals of heads alone count toward
/// [`Http2Options::reset_burst`](crate::Http2Options::reset_burst), above which the
/// connection is closed.
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
    /// Allows `most` calls at once; further calls are refused with `RESOURCE_EXHAUSTED`.
    /// With 0 all calls are refused. Values above `u32::MAX` count as `u32::MAX`.
    pub fn new(most: usize) -> Self {
        Self {
            most,
            queue: 0,
            is_unavailable: false,
            retry_after: None,
        }
    }

    /// Sets how many calls may wait for a place. Default: 0. A queue absorbs bursts but
    /// makes an overload worse, since calls in a longer queue have less time left. A call
    /// holds its request while it waits. A call that has waited for a place of its method or
    /// service may then wait for one of the server, beyond the length of that queue.
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

    /// Sends `grpc-retry-pushback-ms` (gRFC A6) with refusals, in whole milliseconds:
    /// clients that retry wait for this time first. Default: not sent.
    #[must_use]
    pub fn retry_after(mut self, pause: Duration) -> Self {
        self.retry_after = Some(pause);
        self
    }

    /// The status of calls that are refused by `whom`.
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
        // Clients read the value as an `i32`.
        let milliseconds = i32::try_from(pause.as_millis()).unwrap_or(i32::MAX);
        let pushback = [("grpc-retry-pushback-ms", milliseconds.to_string())];
        status.with_metadata(Metadata::from_pairs(pushback).unwrap_or_default())
    }
}
