//! A constructor for each code that is a failure, and the conversion from `io::Error`.

use std::borrow::Cow;
use std::io;

use super::Status;
use crate::code::Code;

impl Status {
    /// `CANCELLED`: the call was cancelled, usually by the caller.
    pub fn cancelled(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::Cancelled, message)
    }

    /// `UNKNOWN`: an error without a better code.
    pub fn unknown(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::Unknown, message)
    }

    /// `INVALID_ARGUMENT`: the request is wrong, whatever state the server is in.
    pub fn invalid_argument(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::InvalidArgument, message)
    }

    /// `DEADLINE_EXCEEDED`: the deadline passed before the call completed.
    pub fn deadline_exceeded(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::DeadlineExceeded, message)
    }

    /// `NOT_FOUND`: something that was asked for does not exist.
    pub fn not_found(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::NotFound, message)
    }

    /// `ALREADY_EXISTS`: something that was to be created exists.
    pub fn already_exists(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::AlreadyExists, message)
    }

    /// `PERMISSION_DENIED`: the caller is known but may not do this.
    pub fn permission_denied(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::PermissionDenied, message)
    }

    /// `RESOURCE_EXHAUSTED`: a quota, a size limit or some other resource is used up.
    pub fn resource_exhausted(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::ResourceExhausted, message)
    }

    /// `FAILED_PRECONDITION`: the system is not in the state that this call needs.
    pub fn failed_precondition(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::FailedPrecondition, message)
    }

    /// `ABORTED`: the call lost a race with another one; the caller may start over.
    pub fn aborted(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::Aborted, message)
    }

    /// `OUT_OF_RANGE`: the call went past the valid range.
    pub fn out_of_range(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::OutOfRange, message)
    }

    /// `UNIMPLEMENTED`: the server has no such method, or does not support it.
    pub fn unimplemented(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::Unimplemented, message)
    }

    /// `INTERNAL`: an invariant of the system is broken.
    pub fn internal(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::Internal, message)
    }

    /// `UNAVAILABLE`: the service cannot be reached at the moment; retrying may help.
    pub fn unavailable(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::Unavailable, message)
    }

    /// `DATA_LOSS`: data is lost or corrupt beyond recovery.
    pub fn data_loss(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::DataLoss, message)
    }

    /// `UNAUTHENTICATED`: the caller's credentials are missing or invalid.
    pub fn unauthenticated(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::Unauthenticated, message)
    }
}

/// The error's kind gives the code and the message; kinds that mean nothing to a caller
/// become `INTERNAL`. The error itself is the [source](std::error::Error::source), which is
/// not sent.
///
/// ```
/// use grpc_runtime::{Code, Status};
///
/// fn load(path: &str) -> Result<Vec<u8>, Status> {
///     Ok(std::fs::read(path)?)
/// }
/// let status = load("/secret/no/such/file").unwrap_err();
/// assert_eq!(status.code(), Code::NotFound);
/// assert!(!status.message().contains("secret"));
/// ```
impl From<io::Error> for Status {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind as Kind;
        let code = match error.kind() {
            Kind::NotFound => Code::NotFound,
            Kind::PermissionDenied => Code::PermissionDenied,
            Kind::AlreadyExists => Code::AlreadyExists,
            Kind::TimedOut => Code::DeadlineExceeded,
            Kind::Unsupported => Code::Unimplemented,
            Kind::ConnectionRefused
            | Kind::ConnectionReset
            | Kind::ConnectionAborted
            | Kind::NotConnected
            | Kind::HostUnreachable
            | Kind::NetworkUnreachable
            | Kind::NetworkDown
            | Kind::BrokenPipe
            | Kind::AddrInUse
            | Kind::AddrNotAvailable => Code::Unavailable,
            Kind::OutOfMemory | Kind::StorageFull | Kind::QuotaExceeded => Code::ResourceExhausted,
            _ => Code::Internal,
        };
        Self::new(code, error.kind().to_string()).with_source(error)
    }
}
