//! Options of one HTTP/2 connection: windows, frame sizes, limits on a peer's work,
//! keepalive and lifetime.

use std::time::Duration;

use super::durations::FOREVER;
use super::keepalive::{KeepaliveOptions, PingLimits};
use super::lifetime::LifetimeOptions;

/// Keepalive and lifetime of a connection. The builders of channels and servers set it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UpkeepOptions {
    pub(crate) keepalive: KeepaliveOptions,
    /// Used by servers.
    pub(crate) pings: PingLimits,
    pub(crate) lifetime: LifetimeOptions,
}

impl UpkeepOptions {
    pub(crate) fn client() -> Self {
        Self {
            keepalive: KeepaliveOptions::CLIENT,
            pings: PingLimits::default(),
            lifetime: LifetimeOptions::default(),
        }
    }

    pub(crate) fn server() -> Self {
        Self {
            keepalive: KeepaliveOptions::SERVER,
            ..Self::client()
        }
    }
}

/// Limits and sizes of one HTTP/2 connection, for either side.
///
/// The defaults suit most programs. What exceeds a limit is refused, ends its call or closes
/// the connection, as each field says. A value outside its range is not an error:
/// [`ChannelBuilder::http2`](crate::ChannelBuilder::http2) and
/// [`ServerBuilder::http2`](crate::ServerBuilder::http2) use the nearest value in the range.
/// An option that is for one side only is ignored on the other.
///
/// ```
/// let mut options = grpc_runtime::Http2Options::default();
/// options.max_concurrent_streams = 1_000;
/// options.stream_window = 256 * 1024;
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Http2Options {
    /// Bytes the peer may send on one stream before the application has read any, as long as
    /// its connection is not half full: see `connection_buffer`. Default 1 MiB; range 65,535
    /// to 2³¹−1.
    pub stream_window: u32,
    /// Bytes the peer may have in flight on the whole connection. Default 4 MiB; range
    /// 65,535 to 2³¹−1.
    pub connection_window: u32,
    /// Bytes that may be received and not yet read, over all streams of a connection, before
    /// the windows of its streams shrink. Streams that nobody reads do not block the others:
    /// once half of this is unread, each stream has a window of 64 KiB instead of
    /// `stream_window`, and of 8 KiB if there are more streams than this has room for at 64
    /// KiB each. So the most that can be unread is twice this, plus 8 KiB for each stream
    /// above that number, plus `connection_window`, which may be in flight when windows
    /// shrink. Default 16 MiB; at least `connection_window`.
    pub connection_buffer: u32,
    /// Bytes that may be reserved on a connection for incoming messages that are larger than
    /// 128 KiB or than half of a stream's window. Messages that do not fit wait for the
    /// others by flow control. If no other message is arriving, a message does not wait, so
    /// the largest allowed message always passes. If less than 80 KiB of a message arrive in
    /// 20 s while others wait, its call ends with `RESOURCE_EXHAUSTED`. Default 64 MiB.
    pub message_buffer: u32,
    /// The largest frame the peer may send, in bytes. Default 64 KiB; range 16,384 to
    /// 16,777,215 (RFC 9113 section 6.5.2).
    pub max_frame_size: u32,
    /// Calls the peer may have open at once on one connection; more are answered with
    /// `REFUSED_STREAM`. Used by servers. Default 256; at least 1, and `u32::MAX` sets no
    /// limit. A client learns the limit with the first bytes from the server. Of the calls
    /// that exceed it because they were sent before, those with one request are sent again,
    /// and those with a stream of requests end with `UNAVAILABLE`.
    pub max_concurrent_streams: u32,
    /// The largest list of header fields accepted, in bytes, counted as in RFC 9113 section
    /// 6.5.2 (32 bytes of overhead a field). A call above it fails with
    /// `RESOURCE_EXHAUSTED`; below about 300 bytes every call does. Default 16 KiB.
    pub max_header_list_size: u32,
    /// Bytes a stream may hold that are not yet sent; a sender waits while its stream holds
    /// that many. Default 64 KiB; at least 1, with which each message waits until the one
    /// before has been sent.
    pub send_buffer: usize,
    /// How long a peer may take from the start of the connection to its SETTINGS, on a
    /// server including TLS. After that the connection is closed. Default 10 s; at least 1
    /// s, and `Duration::MAX` sets no limit.
    pub handshake_timeout: Duration,
    /// How long a peer may take to finish a header block. After that the connection is
    /// closed with `ENHANCE_YOUR_CALM`. Default 20 s; at least 1 s, and `Duration::MAX` sets
    /// no limit.
    pub header_timeout: Duration,
    /// Calls that a client may reset in a burst before they could be answered: within 20 ms
    /// of their start and before the response's head. Calls that the server has to reset
    /// because of the client count too. Each call that ends without a reset, and every 2 ms,
    /// earns one back. Above this the connection is closed with `ENHANCE_YOUR_CALM`; with 0
    /// the first reset closes it. Used by servers and ignored by channels: a server may
    /// reset any number of a client's calls, each of which then fails. Default 500.
    pub reset_burst: u32,
    /// Frames without work for a call that the peer may send in a burst: PING, SETTINGS,
    /// PRIORITY, empty DATA, unknown types, and more WINDOW_UPDATEs than the DATA sent to
    /// the peer calls for. 1,000 a second are earned back, and one with every DATA frame in
    /// either direction. Above this the connection is closed with `ENHANCE_YOUR_CALM`. The
    /// server's `permit_keepalive_time` limits a client's PINGs too. Default 10,000; at
    /// least 16, since every peer begins with a few.
    pub control_burst: u32,
}

impl Default for Http2Options {
    fn default() -> Self {
        Self {
            stream_window: 1 << 20,
            connection_window: 4 << 20,
            connection_buffer: 16 << 20,
            message_buffer: 64 << 20,
            max_frame_size: 64 << 10,
            max_concurrent_streams: 256,
            max_header_list_size: 16 << 10,
            send_buffer: 64 << 10,
            handshake_timeout: Duration::from_secs(10),
            header_timeout: Duration::from_secs(20),
            reset_burst: 500,
            control_burst: 10_000,
        }
    }
}

impl Http2Options {
    /// The same options with every value moved into its range. The builders of channels and
    /// servers call this, so the layers below see no other values.
    pub(crate) fn in_range(mut self) -> Self {
        const WINDOW: std::ops::RangeInclusive<u32> = 65_535..=(1 << 31) - 1;
        /// A shorter time is taken for a mistake of units and raised to this.
        const MIN_TIMEOUT: Duration = Duration::from_secs(1);
        /// Peers send SETTINGS, a WINDOW_UPDATE, a PING or two and, if they are old,
        /// PRIORITY frames before any call.
        const MIN_CONTROL_BURST: u32 = 16;
        self.stream_window = self.stream_window.clamp(*WINDOW.start(), *WINDOW.end());
        self.connection_window = self.connection_window.clamp(*WINDOW.start(), *WINDOW.end());
        self.connection_buffer = self.connection_buffer.max(self.connection_window);
        self.max_frame_size = self.max_frame_size.clamp(16_384, (1 << 24) - 1);
        self.max_concurrent_streams = self.max_concurrent_streams.max(1);
        self.send_buffer = self.send_buffer.max(1);
        self.handshake_timeout = self.handshake_timeout.clamp(MIN_TIMEOUT, FOREVER);
        self.header_timeout = self.header_timeout.clamp(MIN_TIMEOUT, FOREVER);
        self.control_burst = self.control_burst.max(MIN_CONTROL_BURST);
        self
    }
}
