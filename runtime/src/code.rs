//! The canonical status codes of gRPC, and how they are sent. A code that gRPC does not define
//! reads as `Unknown`.

use std::fmt;

/// How a call ended: one of gRPC's 17 canonical codes.
///
/// Displayed under its canonical name, such as `NOT_FOUND`.
///
/// ```
/// use grpc_runtime::Code;
///
/// assert_eq!(Code::NotFound.to_string(), "NOT_FOUND");
/// assert_eq!(Code::NotFound.as_i32(), 5);
/// assert_eq!(Code::from_i32(99), Code::Unknown);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(i32)]
pub enum Code {
    /// The call succeeded.
    Ok = 0,
    /// The call was cancelled, as a rule by the caller.
    Cancelled = 1,
    /// An error without a better code, often one from another system.
    Unknown = 2,
    /// The request is wrong, whatever state the server is in.
    InvalidArgument = 3,
    /// The deadline passed before the call completed.
    DeadlineExceeded = 4,
    /// Something that was asked for does not exist.
    NotFound = 5,
    /// Something that was to be created exists.
    AlreadyExists = 6,
    /// The caller is known but may not do this.
    PermissionDenied = 7,
    /// A quota, a size limit or some other resource is used up.
    ResourceExhausted = 8,
    /// The system is not in the state that this call needs. Retrying does not help until
    /// that state is changed.
    FailedPrecondition = 9,
    /// The call lost a race with another one; the caller may start over.
    Aborted = 10,
    /// The call went past the valid range, such as the end of a file.
    OutOfRange = 11,
    /// The server has no such method, or does not support it.
    Unimplemented = 12,
    /// An invariant of the system is broken.
    Internal = 13,
    /// The service cannot be reached at the moment; retrying may help.
    Unavailable = 14,
    /// Data is lost or corrupt beyond recovery.
    DataLoss = 15,
    /// The caller's credentials are missing or invalid.
    Unauthenticated = 16,
}

impl Code {
    const ALL: [Self; 17] = [
        Self::Ok,
        Self::Cancelled,
        Self::Unknown,
        Self::InvalidArgument,
        Self::DeadlineExceeded,
        Self::NotFound,
        Self::AlreadyExists,
        Self::PermissionDenied,
        Self::ResourceExhausted,
        Self::FailedPrecondition,
        Self::Aborted,
        Self::OutOfRange,
        Self::Unimplemented,
        Self::Internal,
        Self::Unavailable,
        Self::DataLoss,
        Self::Unauthenticated,
    ];

    /// The code with this number; `Unknown` for a number outside 0 to 16.
    pub const fn from_i32(number: i32) -> Self {
        if number >= 0 && number < 17 {
            Self::ALL[number.unsigned_abs() as usize]
        } else {
            Self::Unknown
        }
    }

    /// Whether only a server may answer with this code: a client's control plane and
    /// credentials must not produce it (gRFC A54).
    pub(crate) const fn is_verdict(self) -> bool {
        matches!(
            self,
            Self::Ok
                | Self::InvalidArgument
                | Self::NotFound
                | Self::AlreadyExists
                | Self::FailedPrecondition
                | Self::Aborted
                | Self::OutOfRange
                | Self::DataLoss
        )
    }

    /// The code's number, 0 to 16.
    pub const fn as_i32(self) -> i32 {
        self as i32
    }

    /// The code that stands for an HTTP status when a response carries no
    /// `grpc-status`, as a proxy's error page does. Never `Ok`, not even for
    /// 200: a gRPC response without its status is incomplete.
    pub const fn from_http_status(status: u16) -> Self {
        match status {
            400 | 431 => Self::Internal,
            401 => Self::Unauthenticated,
            403 => Self::PermissionDenied,
            404 => Self::Unimplemented,
            429 | 502 | 503 | 504 => Self::Unavailable,
            _ => Self::Unknown,
        }
    }

    /// The canonical name, such as `NOT_FOUND`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Cancelled => "CANCELLED",
            Self::Unknown => "UNKNOWN",
            Self::InvalidArgument => "INVALID_ARGUMENT",
            Self::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Self::NotFound => "NOT_FOUND",
            Self::AlreadyExists => "ALREADY_EXISTS",
            Self::PermissionDenied => "PERMISSION_DENIED",
            Self::ResourceExhausted => "RESOURCE_EXHAUSTED",
            Self::FailedPrecondition => "FAILED_PRECONDITION",
            Self::Aborted => "ABORTED",
            Self::OutOfRange => "OUT_OF_RANGE",
            Self::Unimplemented => "UNIMPLEMENTED",
            Self::Internal => "INTERNAL",
            Self::Unavailable => "UNAVAILABLE",
            Self::DataLoss => "DATA_LOSS",
            Self::Unauthenticated => "UNAUTHENTICATED",
        }
    }

    /// The meaning of the code, as a short sentence without a full stop.
    pub const fn description(self) -> &'static str {
        match self {
            Self::Ok => "the call succeeded",
            Self::Cancelled => "the call was cancelled",
            Self::Unknown => "an error without a better code",
            Self::InvalidArgument => "the request is wrong",
            Self::DeadlineExceeded => "the deadline passed before the call completed",
            Self::NotFound => "what was asked for does not exist",
            Self::AlreadyExists => "what was to be created exists",
            Self::PermissionDenied => "the caller may not do this",
            Self::ResourceExhausted => "a quota or another resource is used up",
            Self::FailedPrecondition => "the system is not in the state that this call needs",
            Self::Aborted => "the call lost a race with another one",
            Self::OutOfRange => "the call went past the valid range",
            Self::Unimplemented => "the method is not implemented",
            Self::Internal => "an invariant of the system is broken",
            Self::Unavailable => "the service cannot be reached at the moment",
            Self::DataLoss => "data is lost or corrupt",
            Self::Unauthenticated => "the caller's credentials are missing or invalid",
        }
    }

    /// The value of `grpc-status`: decimal, no leading zero.
    pub(crate) const fn as_wire(self) -> &'static str {
        match self {
            Self::Ok => "0",
            Self::Cancelled => "1",
            Self::Unknown => "2",
            Self::InvalidArgument => "3",
            Self::DeadlineExceeded => "4",
            Self::NotFound => "5",
            Self::AlreadyExists => "6",
            Self::PermissionDenied => "7",
            Self::ResourceExhausted => "8",
            Self::FailedPrecondition => "9",
            Self::Aborted => "10",
            Self::OutOfRange => "11",
            Self::Unimplemented => "12",
            Self::Internal => "13",
            Self::Unavailable => "14",
            Self::DataLoss => "15",
            Self::Unauthenticated => "16",
        }
    }

    /// Reads a received `grpc-status`. Anything other than the 17 numbers is `Unknown`: an
    /// unreadable status is not a success.
    pub(crate) fn from_wire(value: &[u8]) -> Self {
        let number = match value {
            [ones @ b'0'..=b'9'] => ones - b'0',
            [b'1', ones @ b'0'..=b'6'] => 10 + ones - b'0',
            _ => return Self::Unknown,
        };
        Self::ALL[usize::from(number)]
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests;
