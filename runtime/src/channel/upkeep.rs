//! Options of a channel for keepalive and idleness. Both are off by default. Connections
//! apply them.

use std::time::Duration;

use super::builder::ChannelBuilder;
use crate::transport::http2::durations::{FOREVER, limited};

/// The minimum of gRFC A8: more frequent PINGs only burden servers.
const MIN_KEEPALIVE_TIME: Duration = Duration::from_secs(10);
const MIN_TIMEOUT: Duration = Duration::from_secs(1);
const MIN_IDLE: Duration = Duration::from_secs(1);

impl ChannelBuilder {
    /// Turns keepalive on. If nothing has arrived from the server for `time` while a call
    /// runs, the connection sends a PING. If nothing arrives within
    /// [`keepalive_timeout`](Self::keepalive_timeout) after that, the connection is closed:
    /// its calls end with `UNAVAILABLE`, and the next call connects again. Without
    /// keepalive a connection that was cut silently, by a firewall or a pulled cable, is
    /// noticed only when the operating system gives up sending, after many minutes.
    ///
    /// Off by default and with `Duration::MAX`; values below 10 s are raised to 10 s. Any
    /// data received counts as an answer, so a busy connection sends no PING.
    ///
    /// Servers limit the rate of PINGs: most, including this one, allow one every 5
    /// minutes, and only while calls run. A server that gets more closes the connection
    /// (GOAWAY `too_many_pings`). The channel then doubles this time for its later
    /// connections, and the status of the calls that were ended says so. So agree on the
    /// value with the operators of the server.
    ///
    /// ```
    /// # fn main() -> Result<(), grpc_runtime::ChannelError> {
    /// use std::time::Duration;
    ///
    /// use grpc_runtime::{Channel, ChannelCredentials};
    ///
    /// let channel = Channel::builder("localhost:50051")?
    ///     .keepalive_time(Duration::from_secs(300))
    ///     .keepalive_timeout(Duration::from_secs(10))
    ///     .build(ChannelCredentials::insecure())?;
    /// # drop(channel);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn keepalive_time(mut self, time: Duration) -> Self {
        self.upkeep.keepalive.time = limited(time.max(MIN_KEEPALIVE_TIME));
        self
    }

    /// How long the server may take to answer the PING of
    /// [`keepalive_time`](Self::keepalive_time). 20 s unless set; values below 1 s are
    /// raised to 1 s.
    #[must_use]
    pub fn keepalive_timeout(mut self, timeout: Duration) -> Self {
        self.upkeep.keepalive.timeout = timeout.clamp(MIN_TIMEOUT, FOREVER);
        self
    }

    /// Whether [`keepalive_time`](Self::keepalive_time) also sends PINGs while no call
    /// runs, so that a dead connection is replaced before a call needs it. `false` unless
    /// set. The server has to permit it. With `false`, a connection that was quiet for
    /// longer than `time` sends a PING together with the next call.
    #[must_use]
    pub fn keepalive_without_calls(mut self, asks: bool) -> Self {
        self.upkeep.keepalive.without_calls = asks;
        self
    }

    /// Closes a connection on which no call has run for this long. The channel is then
    /// [`Idle`](crate::ConnectivityState::Idle), and the next call connects again. No limit
    /// by default and with `Duration::MAX`; values below 1 s are raised to 1 s. It applies
    /// to channels with `PickFirst`, which have one connection; policies with several
    /// connections keep each of them.
    ///
    /// ```
    /// # fn main() -> Result<(), grpc_runtime::ChannelError> {
    /// use std::time::Duration;
    ///
    /// use grpc_runtime::{Channel, ChannelCredentials};
    ///
    /// let channel = Channel::builder("localhost:50051")?
    ///     .idle_timeout(Duration::from_secs(30 * 60))
    ///     .build(ChannelCredentials::insecure())?;
    /// # drop(channel);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.upkeep.lifetime.max_idle = limited(timeout.max(MIN_IDLE));
        self
    }
}
