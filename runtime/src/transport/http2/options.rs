//! What one HTTP/2 connection may use: windows, frame sizes, the limits that keep a hostile
//! peer cheap, and how it is kept and ended by time. Values with defaults.

use std::time::Duration;

use super::durations::FOREVER;
use super::keepalive::{KeepaliveOptions, PingLimits};
use super::lifetime::LifetimeOptions;

/// What time does to a connection. The builders of channels and servers set it.
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
/// The defaults suit most programs. No peer gets beyond these limits: what exceeds one is
/// refused, ends its call or closes the connection, as each field says. A value outside of its
/// range is no error: [`ChannelBuilder::http2`](crate::ChannelBuilder::http2) and
/// [`ServerBuilder::http2`](crate::ServerBuilder::http2) take the nearest value within it. An
/// option that is for one side alone is ignored on the other.
///
/// ```
/// let mut options = grpc_runtime::Http2Options::default();
/// options.max_concurrent_streams = 1_000;
/// options.stream_window = 256 * 1024;
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Http2Options {
    /// Bytes the peer may send on one stream before the application has read
    /// any, as long as its connection is not half full: see `connection_buffer`.
    /// Default 1 MiB; raised to 65,535 and cut to 2³¹−1 where it lies outside.
    pub stream_window: u32,
    /// Bytes the peer may have in flight on the whole connection. Default
    /// 4 MiB; raised to 65,535 and cut to 2³¹−1 where it lies outside.
    pub connection_window: u32,
    /// Bytes that may be received and not yet read, over all streams of a
    /// connection, before its streams have to make do with less. Streams that
    /// nobody reads never hold up the others: from half of this on each has a
    /// window of 64 KiB in place of `stream_window`, and of 8 KiB where there are
    /// more streams than this holds 64 KiB for. So at most twice as much is unread,
    /// and 8 KiB for each stream above that number, and `connection_window`, which may
    /// be on its way when windows are cut. Default 16 MiB; raised to `connection_window`
    /// where it is less.
    pub connection_buffer: u32,
    /// Bytes that may be set aside on a connection for messages while they arrive,
    /// where these are larger than 128 KiB or than half of a stream's window. Those that do not fit
    /// wait for the others by flow control, and for nobody where none other
    /// arrives, so that the largest message allowed always passes. A message that
    /// gets on by less than 80 KiB in 20 s while others wait ends its call with
    /// `RESOURCE_EXHAUSTED`. Default 64 MiB.
    pub message_buffer: u32,
    /// The largest frame the peer may send, in bytes. Default 64 KiB; kept
    /// within 16,384 ..= 16,777,215 (RFC 9113 section 6.5.2).
    pub max_frame_size: u32,
    /// Calls the peer may have open at once on one connection; more are
    /// answered with `REFUSED_STREAM`. Used by servers. Default 256; raised to 1
    /// where it is less, and `u32::MAX` sets no limit. A client learns it with the
    /// first bytes from the server. Of the calls that it sent before, those with one
    /// request are sent again, and streams of requests end with `UNAVAILABLE`.
    pub max_concurrent_streams: u32,
    /// The largest list of header fields accepted, counted as RFC 9113
    /// section 6.5.2 does (32 bytes of overhead a field). A call above it fails
    /// with `RESOURCE_EXHAUSTED`, so with less than some 300 every call does. Default
    /// 16 KiB.
    pub max_header_list_size: u32,
    /// Bytes a stream may hold that are not yet on the wire; a sender waits
    /// while its stream holds as many. Default 64 KiB; raised to 1 where it is less:
    /// then each message waits until the one before is on its way.
    pub send_buffer: usize,
    /// How long a peer may take from the connection's beginning to its SETTINGS;
    /// on a server TLS is a part of it. Then the connection is closed. Default 10 s;
    /// raised to 1 s where it is less, and `Duration::MAX` sets no limit.
    pub handshake_timeout: Duration,
    /// How long a peer may take to finish a header block it began. Then the
    /// connection is closed with `ENHANCE_YOUR_CALM`. Default 20 s; raised to 1 s
    /// where it is less, and `Duration::MAX` sets no limit.
    pub header_timeout: Duration,
    /// Calls that a client may reset in a burst before they could be answered,
    /// within 20 ms and before their response's head; calls that it makes the
    /// server reset count too. Each call that ends well earns one back, and so does
    /// every 2 ms. Above it the connection is closed with `ENHANCE_YOUR_CALM`: with 0
    /// by the first one. Used by servers, and ignored by channels: a server may reset any
    /// number of a client's calls, each of which then fails by itself. Default 500.
    pub reset_burst: u32,
    /// Frames that carry no work (PING, SETTINGS, PRIORITY, empty DATA, unknown
    /// types, and WINDOW_UPDATE beyond what DATA that was sent may be answered
    /// with) the peer may send in a burst; 1,000 a second are earned back, and one
    /// with every DATA frame either way. Above it the connection is closed with
    /// `ENHANCE_YOUR_CALM`. A client's PINGs are held to the server's
    /// `permit_keepalive_time` besides. Default 10,000; raised to 16 where it is less,
    /// since every peer begins with some.
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
    /// The same options with every value inside the range that the protocol allows
    /// and a connection can live with. The builders of channels and servers ask for
    /// it, so that nothing behind them sees another value.
    pub(crate) fn in_range(mut self) -> Self {
        const WINDOW: std::ops::RangeInclusive<u32> = 65_535..=(1 << 31) - 1;
        /// Less is a mistake of units.
        const MIN_TIMEOUT: Duration = Duration::from_secs(1);
        /// SETTINGS, a WINDOW_UPDATE, a PING or two, and the PRIORITY frames of older
        /// clients are said before any call.
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
