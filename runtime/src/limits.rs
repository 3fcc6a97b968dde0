//! How large messages may be. Values only; `framing` enforces them, and the
//! limits of HTTP/2 stand with the transport.

/// Limits on the messages of a call. Both sides have them, with the same
/// defaults as other gRPC implementations.
///
/// A message's size is that of its encoded body, without the five bytes of its
/// prefix and without compression; one that is received compressed is held to the
/// limit before and after. A message over a limit ends the call with
/// `RESOURCE_EXHAUSTED`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CallLimits {
    /// The largest message taken from the peer, in bytes: 4 MiB by default. It
    /// is checked against the size that the peer announces, before any of the
    /// message is held in memory, and while the message is decompressed.
    pub(crate) max_receive_message_size: usize,
    /// The largest message sent, in bytes: `usize::MAX`, no limit, by default.
    /// Whatever is set here, the wire has no room for more than `u32::MAX`.
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
