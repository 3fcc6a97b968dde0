//! Options of a channel for keepalive and idleness. Connections apply them.

use std::time::Duration;

use super::builder::ChannelBuilder;
use crate::transport::http2::durations::{FOREVER, limited};

/// gRFC A8: less only wears out servers.
const MIN_KEEPALIVE_TIME: Duration = Duration::from_secs(10);
const MIN_TIMEOUT: Duration = Duration::from_secs(1);
const MIN_IDLE: Duration = Duration::from_secs(1);

impl ChannelBuilder {
    /// Switches keepalive on: when nothing has come from the server for this long
    /// while a call runs, it is asked for an answer (a PING). If nothing comes back
    /// within [`keepalive_timeout`](Self::keepalive_timeout), the connection is
    /// given up: its calls end with `UNAVAILABLE`, and the next one makes another.
    /// Without it a connection that broke unseen, by a firewall that forgets or a
    /// cable that is pulled, is noticed only when the system gives up sending, after
    /// many minutes.
    ///
    /// Off unless set, and with `Duration::MAX`; raised to 10 s where it is less.
    /// Anything read counts as an answer, so a busy connection is never asked.
    ///
    /// Servers limit how often they are asked: most, as this one, allow it every
    /// 5 minutes and only while calls run. One that had enough closes the connection
    /// (GOAWAY `too_many_pings`); the channel then doubles this time for its later
    /// connections, and the calls that this ended say so. So agree on it with who
    /// runs the server.
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

    /// How long the server may take to answer when
    /// [`keepalive_time`](Self::keepalive_time) asks it. 20 s unless set; raised to
    /// 1 s where it is less.
    #[must_use]
    pub fn keepalive_timeout(mut self, timeout: Duration) -> Self {
        self.upkeep.keepalive.timeout = timeout.clamp(MIN_TIMEOUT, FOREVER);
        self
    }

    /// Whether [`keepalive_time`](Self::keepalive_time) asks while no call runs too,
    /// so that a dead connection is replaced before a call needs it. `false` unless
    /// set; the server has to permit it. Otherwise a connection that was quiet for
    /// longer is asked together with the next call.
    #[must_use]
    pub fn keepalive_without_calls(mut self, asks: bool) -> Self {
        self.upkeep.keepalive.without_calls = asks;
        self
    }

    /// Closes a connection on which no call has run for this long. The channel is
    /// [`Idle`](crate::ConnectivityState::Idle) then, and the next call makes
    /// another connection. No limit unless set, nor with `Duration::MAX`; raised to
    /// 1 s where it is less. It is for the one connection of a channel that picks the
    /// first; a policy with several keeps each of them.
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
