//! The error codes of RFC 9113 section 7, as `RST_STREAM` and GOAWAY carry them.
//!
//! Unknown codes are kept and are not errors: section 7 says that they must not trigger any
//! special behaviour.

use std::fmt;

/// An HTTP/2 error code; any 32-bit value is one.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ErrorCode(pub(crate) u32);

impl ErrorCode {
    /// The stream or connection ends without an error.
    pub(crate) const NO_ERROR: Self = Self(0x0);
    /// The peer broke the protocol in a way no other code names.
    pub(crate) const PROTOCOL_ERROR: Self = Self(0x1);
    /// This endpoint failed.
    pub(crate) const INTERNAL_ERROR: Self = Self(0x2);
    /// The peer sent more than its flow-control window allows.
    pub(crate) const FLOW_CONTROL_ERROR: Self = Self(0x3);
    /// The peer did not acknowledge SETTINGS in time.
    pub(crate) const SETTINGS_TIMEOUT: Self = Self(0x4);
    /// A frame came for a stream whose sending side is closed.
    pub(crate) const STREAM_CLOSED: Self = Self(0x5);
    /// A frame has a length its kind does not allow.
    pub(crate) const FRAME_SIZE_ERROR: Self = Self(0x6);
    /// The stream was refused before any work was done on it.
    pub(crate) const REFUSED_STREAM: Self = Self(0x7);
    /// The stream is no longer wanted.
    pub(crate) const CANCEL: Self = Self(0x8);
    /// The header compression state is lost.
    pub(crate) const COMPRESSION_ERROR: Self = Self(0x9);
    /// The connection behind a CONNECT request failed.
    pub(crate) const CONNECT_ERROR: Self = Self(0xa);
    /// The peer generates excessive load.
    pub(crate) const ENHANCE_YOUR_CALM: Self = Self(0xb);
    /// The transport is not secure enough.
    pub(crate) const INADEQUATE_SECURITY: Self = Self(0xc);
    /// The peer is asked to use HTTP/1.1.
    pub(crate) const HTTP_1_1_REQUIRED: Self = Self(0xd);

    /// The name RFC 9113 gives the code, or `None` for a code it does not have.
    pub(crate) const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::NO_ERROR => "NO_ERROR",
            Self::PROTOCOL_ERROR => "PROTOCOL_ERROR",
            Self::INTERNAL_ERROR => "INTERNAL_ERROR",
            Self::FLOW_CONTROL_ERROR => "FLOW_CONTROL_ERROR",
            Self::SETTINGS_TIMEOUT => "SETTINGS_TIMEOUT",
            Self::STREAM_CLOSED => "STREAM_CLOSED",
            Self::FRAME_SIZE_ERROR => "FRAME_SIZE_ERROR",
            Self::REFUSED_STREAM => "REFUSED_STREAM",
            Self::CANCEL => "CANCEL",
            Self::COMPRESSION_ERROR => "COMPRESSION_ERROR",
            Self::CONNECT_ERROR => "CONNECT_ERROR",
            Self::ENHANCE_YOUR_CALM => "ENHANCE_YOUR_CALM",
            Self::INADEQUATE_SECURITY => "INADEQUATE_SECURITY",
            Self::HTTP_1_1_REQUIRED => "HTTP_1_1_REQUIRED",
            _ => return None,
        })
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "error code {:#x}", self.0),
        }
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
