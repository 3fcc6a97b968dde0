//! Limits on message sizes. `framing` enforces them; the limits of HTTP/2 are with the
//! transport.

/// Limits on the messages of a call, for clients and servers, with the defaults of other
/// gRPC implementations.
///
/// A message's size is that of its encoded body, without the five bytes of its prefix and
/// without compression. For a compressed message that is received, both its size on the
/// wire and its decompressed size are checked. A message over a limit ends the call with
/// `RESOURCE_EXHAUSTED`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CallLimits {
    /// The largest message accepted from the peer, in bytes: 4 MiB by default. The size
    /// that the peer announces is checked before any of the message is buffered; the
    /// decompressed size is checked during decompression.
    pub(crate) max_receive_message_size: usize,
    /// The largest message sent, in bytes: `usize::MAX`, no limit, by default. A message's
    /// prefix allows at most `u32::MAX` bytes.
    pub(crate) max_send_message_size: usize,
}

impl Default for CallLimits {
    fn default() -> Self {
        Self {
            max_receive_message_size: 4 * 1024 * 1024,
            max_send_message_size: usize::MAX,
        }
    }
}
