//! A call before it starts, whatever its shape: its channel, method and options, and the one
//! way to start it. It is not generic over messages.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use prost::Message;

use crate::call::receiver::Receiver;
use crate::call::response_head::Coding;
use crate::call::sender::Sender;
use crate::call::state::CallState;
use crate::channel::Channel;
use crate::channel::call::call_options::CallOptions;
use crate::channel::call::open_call::OpenCall;
use crate::channel::config::method_config::RepeatPolicy;
use crate::clock;
use crate::credentials::CallCredentials;
use crate::framing::{self, Compression, FramingError, Side};
use crate::metadata::{Metadata, MetadataError};
use crate::method::Method;
use crate::server::{Context, Ending};
use crate::status::{Code, Phase, Status};

/// A call that has not started.
#[derive(Debug)]
pub(crate) struct Call {
    channel: Channel,
    method: Method,
    options: CallOptions,
    /// The call of a handler on whose behalf this one is made.
    outer: Option<Arc<Ending>>,
    /// The whole request, where the method takes one message.
    request: Option<Bytes>,
    /// The first invalid option: the call fails with this status.
    error: Option<Status>,
    /// `false` for a timeout of 0.
    has_time: bool,
    /// The application has set the call's timeout or deadline, if only one beyond what the
    /// clock can represent. The channel's default then does not apply.
    is_timed: bool,
}

/// What a service config adds after the call has begun.
enum FurtherTerms {
    /// The call may be attempted more than once.
    Attempts(Arc<RepeatPolicy>),
    /// The call is attempted once; its result counts for the throttling of retries.
    Counted,
    /// The service config is not known yet: its terms apply once it is, or once the request
    /// is complete. The instant is when the call began.
    Later(Instant),
}

impl Call {
    pub(crate) fn new(channel: &Channel, method: Method) -> Self {
        let options = CallOptions {
            limits: channel.limits(),
            compression: channel.compression(),
            ..CallOptions::default()
        };
        Self {
            channel: channel.clone(),
            method,
            options,
            outer: None,
            request: None,
            error: None,
            has_time: true,
            is_timed: false,
        }
    }

    pub(crate) fn with_request(channel: &Channel, method: Method, message: &impl Message) -> Self {
        let mut call = Self::new(channel, method);
        let mut buffer = BytesMut::new();
        // The limit may still be changed by an option, so `start` checks it.
        match framing::encode_message(message, usize::MAX, &mut buffer) {
            Ok(()) => call.request = Some(buffer.freeze()),
            Err(error) => call.error = Some(error.into_status(Side::Client)),
        }
        call
    }

    pub(crate) fn timeout(&mut self, timeout: Duration) {
        // A timeout beyond what the clock can represent is no deadline.
        self.options.deadline = clock::now().checked_add(timeout);
        self.has_time = !timeout.is_zero();
        self.is_timed = true;
    }

    pub(crate) fn deadline(&mut self, deadline: Instant) {
        self.options.deadline = Some(deadline);
        self.has_time = true;
        self.is_timed = true;
    }

    pub(crate) fn inherit(&mut self, context: &Context) {
        self.outer = Some(Arc::clone(context.ending()));
    }

    /// Applies a change to the metadata; an invalid key or value fails the call.
    pub(crate) fn metadata(
        &mut self,
        change: impl FnOnce(&mut Metadata) -> Result<(), MetadataError>,
    ) {
        if let Err(error) = change(&mut self.options.metadata) {
            let error = Status::from(error).with_phase(Phase::Send);
            self.error.get_or_insert(error);
        }
    }

    pub(crate) fn credentials(&mut self, credentials: CallCredentials) {
        self.options.credentials = Some(match self.options.credentials.take() {
            Some(own) => own.and(credentials),
            None => credentials,
        });
    }

    pub(crate) fn wait_for_ready(&mut self) {
        self.options.wait_for_ready = true;
        self.options.is_ready_said = true;
    }

    pub(crate) fn max_receive_message_size(&mut self, bytes: usize) {
        self.options.limits.max_receive_message_size = bytes;
    }

    pub(crate) fn max_send_message_size(&mut self, bytes: usize) {
        self.options.limits.max_send_message_size = bytes;
    }

    pub(crate) fn compression(&mut self, compression: Compression) {
        self.options.compression = compression;
    }

    /// Checks the request against its limit and compresses it if the call is to. It runs at
    /// the start, so that options set after the request apply.
    fn finish_request(&mut self) -> Result<(), FramingError> {
        let Some(request) = &mut self.request else {
            return Ok(());
        };
        let body = &request[framing::PREFIX_LEN..];
        let limit = self.options.limits.max_send_message_size;
        if body.len() > limit {
            let size = body.len();
            return Err(FramingError::SendTooLarge { size, limit });
        }
        if !self.options.compression.is_identity() {
            // A message's length fits into the four bytes of its prefix.
            self.options.plain_size = u32::try_from(body.len()).unwrap_or(u32::MAX);
            *request = framing::compress(self.options.compression, body)?;
        }
        Ok(())
    }

    /// Applies the service config. Few channels have one, so it is not inlined.
    #[inline(never)]
    fn settle(&mut self) -> Option<FurtherTerms> {
        let Self {
            channel,
            method,
            options,
            has_time,
            ..
        } = self;
        let said = channel.terms_of(method, |terms| {
            if let Some(config) = terms.config {
                options.hold_to(config, clock::now);
                *has_time &= config.timeout.is_none_or(|it| !it.is_zero());
            }
            let counted = terms.is_counted.then_some(FurtherTerms::Counted);
            terms
                .repeats
                .cloned()
                .map(FurtherTerms::Attempts)
                .or(counted)
        });
        match said {
            Ok(further) => further.flatten(),
            Err(_) => Some(FurtherTerms::Later(clock::now())),
        }
    }

    /// Starts the call and returns at once: nothing waits for the server.
    pub(crate) fn start(mut self) -> Started {
        let own = self.options.deadline;
        let outer = self.outer.as_ref().and_then(|outer| outer.deadline());
        self.options.deadline = clock::earlier(own, outer);
        if self.options.deadline.is_none()
            && !self.is_timed
            && let Some(timeout) = self.channel.default_timeout()
        {
            self.timeout(timeout);
        }
        let further = if self.channel.has_terms() {
            self.settle()
        } else {
            None
        };
        let send_buffer = self.channel.http2().send_buffer;
        let sends = Coding {
            encoding: self.options.compression,
            ..Coding::default()
        };
        let watched = self.channel.is_watched();
        let ledger = watched.then(|| self.channel.ledger(self.method, &self.options));
        let state = CallState::new(send_buffer, sends, Compression::Identity, ledger);
        let error = self.error.take().or_else(|| {
            if !self.has_time {
                return Some(no_time());
            }
            let finished = self.finish_request();
            finished.err().map(|error| error.into_status(Side::Client))
        });
        let started = Started {
            state: Arc::clone(&state),
            max_receive_message_size: self.options.limits.max_receive_message_size,
            max_send_message_size: self.options.limits.max_send_message_size,
        };
        if let Some(status) = error {
            state.deliver_end(Err(status));
            return started;
        }
        let mut open = OpenCall::boxed(state, self.method, self.options, self.request);
        match further {
            None => {}
            Some(FurtherTerms::Attempts(repeats)) => self.channel.repeat(&mut open, repeats),
            Some(FurtherTerms::Counted) => self.channel.count(&mut open),
            Some(FurtherTerms::Later(start)) => self.channel.await_config(&mut open, start),
        }
        self.channel.open(open);
        if let Some(outer) = self.outer {
            outer.adopt(&started.state);
        }
        started
    }
}

fn no_time() -> Status {
    let text = "the call's timeout is 0, so it was not begun";
    Status::new(Code::DeadlineExceeded, text).with_phase(Phase::Call)
}

/// A call under way, before its halves have types.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) state: Arc<CallState>,
    max_receive_message_size: usize,
    max_send_message_size: usize,
}

impl Started {
    pub(crate) fn sender<Q: Message>(&self) -> Sender<Q> {
        Sender::new(
            Arc::clone(&self.state),
            self.max_send_message_size,
            Side::Client,
        )
    }

    pub(crate) fn receiver<R: Message + Default>(&self) -> Receiver<R> {
        let state = Arc::clone(&self.state);
        Receiver::new(state, self.max_receive_message_size, Side::Client)
    }
}

/// The options that every shape of call has.
macro_rules! call_options {
    () => {
        /// The longest that the call may take from now on, over all its phases: waiting for
        /// a connection, sending, and the response. After that it fails with
        /// `DEADLINE_EXCEEDED`; with 0 before anything is sent. The server receives the
        /// timeout as `grpc-timeout`. A timeout beyond what the clock can represent means
        /// no deadline. Unless set, the channel's
        /// [default](crate::ChannelBuilder::default_timeout) applies, which is none.
        ///
        /// A call has one limit: the last one set by `timeout` or
        /// [`deadline`](Self::deadline) replaces those before it.
        pub fn timeout(mut self, timeout: ::std::time::Duration) -> Self {
            self.call.timeout(timeout);
            self
        }

        /// Like [`timeout`](Self::timeout), as an instant. An instant in the past fails the
        /// call with `DEADLINE_EXCEEDED`.
        pub fn deadline(mut self, deadline: ::std::time::Instant) -> Self {
            self.call.deadline(deadline);
            self
        }

        /// Makes the call on behalf of the one that a handler is answering. Its deadline is
        /// that call's, or its own [`timeout`](Self::timeout) if that ends earlier; it is
        /// cancelled when that call is, in whichever task it runs. It may continue after
        /// that call was answered. Metadata and credentials are not passed on: they may
        /// hold what is not meant for other servers.
        pub fn inherit(mut self, context: &$crate::server::Context) -> Self {
            self.call.inherit(context);
            self
        }

        /// Adds a text to the request's metadata. An invalid key or value fails the call
        /// with `INTERNAL` before anything is sent.
        pub fn metadata(mut self, key: &str, value: &str) -> Self {
            self.call.metadata(|metadata| metadata.append(key, value));
            self
        }

        /// Adds bytes to the request's metadata; `key` ends in `-bin`. Errors as
        /// [`metadata`](Self::metadata).
        pub fn metadata_bin(mut self, key: &str, value: &[u8]) -> Self {
            self.call
                .metadata(|metadata| metadata.append_bin(key, value));
            self
        }

        /// Adds credentials to the call, after the channel's and those added before. On a
        /// connection that is not encrypted the call fails with `UNAUTHENTICATED` before
        /// anything is sent, unless the credentials allow such connections; see
        /// [`CallCredentials`](crate::CallCredentials).
        pub fn credentials(mut self, credentials: $crate::credentials::CallCredentials) -> Self {
            self.call.credentials(credentials);
            self
        }

        /// Waits for a connection until the deadline, instead of failing with `UNAVAILABLE`
        /// when connecting fails (gRPC's "wait for ready"). Off by default.
        pub fn wait_for_ready(mut self) -> Self {
            self.call.wait_for_ready();
            self
        }

        /// The largest response message that this call accepts, in bytes. Default: the
        /// channel's limit, which is 4 MiB unless set. A larger one fails the call with
        /// `RESOURCE_EXHAUSTED`.
        pub fn max_receive_message_size(mut self, bytes: usize) -> Self {
            self.call.max_receive_message_size(bytes);
            self
        }

        /// The largest request message that this call sends, in bytes. Default: the
        /// channel's limit, which is none unless set. A larger one fails with
        /// `RESOURCE_EXHAUSTED`.
        pub fn max_send_message_size(mut self, bytes: usize) -> Self {
            self.call.max_send_message_size(bytes);
            self
        }

        /// How this call's request messages are [compressed](crate::Compression). Default:
        /// the channel's compression. A server that does not support the encoding fails the
        /// call with `UNIMPLEMENTED`.
        pub fn compression(mut self, compression: $crate::framing::Compression) -> Self {
            self.call.compression(compression);
            self
        }
    };
}
pub(crate) use call_options;
