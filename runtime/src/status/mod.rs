//! How a call failed. A `Status` is one pointer wide, since it is in every `Result` of a
//! call, and keeps the error that caused it as its source.

mod constructors;
mod details;
mod failed_attempt;
pub(crate) mod message;
mod phase;
pub mod rpc;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

pub use self::failed_attempt::FailedAttempt;
pub use self::phase::Phase;
pub(crate) use crate::code::Code;
use crate::deadline::MalformedTimeout;
use crate::metadata::{Metadata, MetadataError};

/// Why a call failed: a [`Code`], a message for people, and optionally details
/// and trailing metadata for programs.
///
/// A handler returns a status to its caller, and a stub returns one for every failure, on
/// either side or between them. A status that was made on this side has a
/// [`phase`](Self::phase), and often a [`source`](Error::source); neither is sent to the
/// peer.
///
/// ```
/// use grpc_runtime::{Code, Status};
///
/// fn page(number: i64) -> Result<i64, Status> {
///     if number < 1 {
///         return Err(Status::invalid_argument(format!("page {number}: pages start at 1")));
///     }
///     Ok(number)
/// }
///
/// let status = page(0).unwrap_err();
/// assert_eq!(status.code(), Code::InvalidArgument);
/// assert_eq!(status.to_string(), "INVALID_ARGUMENT: page 0: pages start at 1");
/// ```
///
/// Most errors do not convert into a status with `?`, because only the handler knows which
/// code is right and whether the caller may see the text. Use
/// [`from_error`](Self::from_error), or a constructor with your own text. An
/// [`io::Error`](std::io::Error) does convert, by its kind; its own text, with paths and
/// addresses, is kept as the source and not sent.
///
/// ```
/// # use grpc_runtime::{Code, Status};
/// fn load(path: &str) -> Result<Vec<u8>, Status> {
///     std::fs::read(path)
///         .map_err(|error| Status::not_found("no such document").with_source(error))
/// }
/// # assert!(load("/no/such/file").is_err());
/// ```
#[derive(Clone)]
pub struct Status(Box<StatusContent>);

#[derive(Clone)]
struct StatusContent {
    code: Code,
    phase: Option<Phase>,
    message: Cow<'static, str>,
    details: Bytes,
    metadata: Metadata,
    /// The initial metadata of the response that ended with this status, for calls without a
    /// receiver.
    initial_metadata: Metadata,
    source: Option<Arc<dyn Error + Send + Sync>>,
    attempts: Option<Arc<[FailedAttempt]>>,
}

impl Status {
    /// A status with this code and message. There is a constructor for each
    /// code, such as [`not_found`](Self::not_found).
    ///
    /// Do not use [`Code::Ok`] for an error: if a handler returns it as an error, its caller
    /// gets `UNKNOWN`.
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(StatusContent {
            code,
            phase: None,
            message: message.into(),
            details: Bytes::new(),
            metadata: Metadata::new(),
            initial_metadata: Metadata::new(),
            source: None,
            attempts: None,
        }))
    }

    /// A status for `error`, with its text as the message and the error as the source. The
    /// caller of a handler sees the text.
    ///
    /// ```
    /// # use grpc_runtime::{Code, Status};
    /// fn port(text: &str) -> Result<u16, Status> {
    ///     text.parse().map_err(|error| Status::from_error(Code::InvalidArgument, error))
    /// }
    /// assert_eq!(port("x").unwrap_err().message(), "invalid digit found in string");
    /// ```
    pub fn from_error(code: Code, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let error = error.into();
        Self::new(code, error.to_string()).with_source(error)
    }

    /// The same status with its trailing metadata replaced.
    #[must_use]
    pub fn with_metadata(mut self, metadata: Metadata) -> Self {
        self.0.metadata = metadata;
        self
    }

    /// The same status with the error that caused it as its source. The source is not sent
    /// to the peer.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.0.source = Some(Arc::from(source.into()));
        self
    }

    /// The same status with the phase in which it was made.
    #[must_use]
    pub fn with_phase(mut self, phase: Phase) -> Self {
        self.0.phase = Some(phase);
        self
    }

    /// The same status with the failed attempts of its call.
    pub(crate) fn with_attempts(mut self, attempts: Vec<FailedAttempt>) -> Self {
        if !attempts.is_empty() {
            self.0.attempts = Some(attempts.into());
        }
        self
    }

    /// The attempts of a call that had several, under a [`RetryPolicy`](crate::RetryPolicy)
    /// or a [`HedgingPolicy`](crate::HedgingPolicy), oldest first, each with its server and
    /// its time. Empty for a call with one attempt, whose server interceptors and observers
    /// get from [`EndedCall::peer`](crate::EndedCall::peer). `Display` shows them too. They
    /// are not sent to the peer.
    pub fn attempts(&self) -> &[FailedAttempt] {
        self.0.attempts.as_deref().unwrap_or_default()
    }

    /// The code.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The message, meant for people. Empty if there is none.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Trailing metadata.
    pub fn metadata(&self) -> &Metadata {
        &self.0.metadata
    }

    /// Trailing metadata, mutable.
    pub fn metadata_mut(&mut self) -> &mut Metadata {
        &mut self.0.metadata
    }

    /// The initial metadata that the server sent for a unary or client-streaming call that
    /// then failed; otherwise empty. A server that fails a call at once sends only [trailing
    /// metadata](Self::metadata). For the other kinds of call use
    /// [`Receiver::initial_metadata`](crate::Receiver::initial_metadata).
    ///
    /// It is not sent when a handler returns a status that it received.
    pub fn initial_metadata(&self) -> &Metadata {
        &self.0.initial_metadata
    }

    pub(crate) fn with_message(mut self, message: String) -> Self {
        self.0.message = message.into();
        self
    }

    pub(crate) fn with_initial_metadata(mut self, metadata: Metadata) -> Self {
        self.0.initial_metadata = metadata;
        self
    }

    /// What this side was doing when it made the status; `None` if the peer sent it, or a
    /// handler made it.
    pub fn phase(&self) -> Option<Phase> {
        self.0.phase
    }
}

/// `NOT_FOUND: no such document`, followed by the phase in brackets if there is
/// one.
impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.code.name())?;
        if !self.0.message.is_empty() {
            write!(f, ": {}", self.0.message)?;
        }
        if let Some(phase) = self.0.phase {
            write!(f, " ({phase})")?;
        }
        let mut number = 0;
        self.attempts().iter().try_for_each(|attempt| {
            number += 1;
            let mark = if number == 1 { " [" } else { "; " };
            write!(f, "{mark}attempt {number}, {attempt}")
        })?;
        f.write_str(if number > 0 { "]" } else { "" })
    }
}

/// Shows only the parts that the status has.
impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let content = &*self.0;
        let mut out = f.debug_struct("Status");
        out.field("code", &content.code)
            .field("message", &content.message);
        if let Some(phase) = &content.phase {
            out.field("phase", phase);
        }
        if !content.details.is_empty() {
            out.field("details", &content.details);
        }
        if !content.metadata.is_empty() {
            out.field("metadata", &content.metadata);
        }
        if !content.initial_metadata.is_empty() {
            out.field("initial_metadata", &content.initial_metadata);
        }
        if let Some(source) = &content.source {
            out.field("source", source);
        }
        if let Some(attempts) = &content.attempts {
            out.field("attempts", attempts);
        }
        out.finish()
    }
}

impl Error for Status {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let source = self.0.source.as_deref()?;
        Some(source)
    }
}

/// `INTERNAL`: this side made metadata that cannot be sent, or the peer sent metadata that
/// cannot be read.
impl From<MetadataError> for Status {
    fn from(error: MetadataError) -> Self {
        Self::from_error(Code::Internal, error)
    }
}

/// `INTERNAL`, as in other gRPC implementations.
impl From<MalformedTimeout> for Status {
    fn from(error: MalformedTimeout) -> Self {
        Self::from_error(Code::Internal, error)
    }
}
