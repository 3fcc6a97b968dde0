//! The frames of HTTP/2 (RFC 9113 sections 4 and 6), one file for each kind.
//!
//! Each file reads its frame's payload into a typed value, with the checks of section 6 that
//! need no state, and writes the frame. The connection checks whether a frame may come at
//! that time, on that stream, in that role. `PUSH_PROMISE` has no file, since no endpoint
//! here accepts it.

mod continuation;
mod data;
mod go_away;
mod head;
mod headers;
mod ping;
mod priority;
mod reset;
mod settings;
mod window_update;

use std::fmt;

use super::error_code::ErrorCode;

pub(crate) use continuation::Continuation;
pub(crate) use data::Data;
pub(crate) use go_away::GoAway;
pub(crate) use head::{FrameHead, Kind};
pub(crate) use headers::Headers;
pub(crate) use ping::Ping;
pub(crate) use priority::Priority;
pub(crate) use reset::Reset;
pub(crate) use settings::{Settings, SettingsFrame};
pub(crate) use window_update::WindowUpdate;

/// DATA and HEADERS: the sender's last frame of the stream, except for CONTINUATION frames
/// of this HEADERS.
pub(crate) const END_STREAM: u8 = 0x1;
/// SETTINGS and PING: the answer to one.
pub(crate) const ACK: u8 = 0x1;
/// HEADERS and CONTINUATION: the last fragment of the field block.
pub(crate) const END_HEADERS: u8 = 0x4;
/// DATA and HEADERS: the payload ends in padding.
pub(crate) const PADDED: u8 = 0x8;
/// HEADERS: a priority precedes the fragment.
pub(crate) const PRIORITY: u8 = 0x20;

/// The greatest stream identifier, and the greatest flow-control window:
/// both are 31 bits wide.
pub(crate) const MAX_31_BITS: u32 = 0x7fff_ffff;

/// What a malformed frame ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Its stream alone: `RST_STREAM`.
    Stream,
    /// The connection: GOAWAY.
    Connection,
}

/// A frame that is malformed by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameError {
    pub(crate) scope: Scope,
    pub(crate) code: ErrorCode,
    pub(crate) reason: &'static str,
}

impl FrameError {
    const fn protocol(reason: &'static str) -> Self {
        Self {
            scope: Scope::Connection,
            code: ErrorCode::PROTOCOL_ERROR,
            reason,
        }
    }

    const fn size(reason: &'static str) -> Self {
        Self {
            scope: Scope::Connection,
            code: ErrorCode::FRAME_SIZE_ERROR,
            reason,
        }
    }

    const fn on_stream(mut self) -> Self {
        self.scope = Scope::Stream;
        self
    }
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.reason)
    }
}

impl std::error::Error for FrameError {}

/// The range of `payload` without padding, by the flags (sections 6.1 and 6.2).
#[inline]
fn unpadded(head: FrameHead, payload: &[u8]) -> Result<std::ops::Range<usize>, FrameError> {
    if head.flags & PADDED == 0 {
        return Ok(0..payload.len());
    }
    let (&padding, rest) = payload
        .split_first()
        .ok_or(FrameError::size("padded frame without a padding length"))?;
    let len = rest
        .len()
        .checked_sub(usize::from(padding))
        .ok_or(FrameError::protocol("padding is longer than the frame"))?;
    Ok(1..1 + len)
}

#[cfg(test)]
mod tests;
