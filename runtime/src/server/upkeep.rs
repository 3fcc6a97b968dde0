//! Options of a server for keepalive, permitted PINGs, idleness and age of connections.
//! Connections apply them.

use std::time::Duration;

use super::builder::ServerBuilder;
use crate::transport::http2::durations::{FOREVER, limited};

/// As grpc-go 1.33.3 has it for a server's PINGs: less is a mistake of units.
const MIN: Duration = Duration::from_secs(1);

impl ServerBuilder {
    /// How long [`Server::shutdown`](crate::Server::shutdown) goes on serving before its
    /// grace begins: new connections and calls too, so that none is refused while load
    /// balancers and clients still learn that the server leaves.
    /// [`Server::leaving`](crate::Server::leaving) resolves, so that health checks can fail,
    /// and connected clients are asked to connect anew (GOAWAY), which the balancer sends
    /// elsewhere. Default: 0; choose the time that your balancer needs to notice. With
    /// [`Duration::MAX`] the server serves for ever.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use grpc_runtime::Server;
    ///
    /// let server = Server::builder()
    ///     .shutdown_notice(Duration::from_millis(10))
    ///     .listen("127.0.0.1:0")
    ///     .start()
    ///     .await?;
    /// let leaving = server.leaving();
    /// tokio::spawn(async move {
    ///     leaving.await;
    ///     println!("health checks answer NOT_SERVING from now on");
    /// });
    /// server.shutdown(Duration::from_secs(20)).await;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn shutdown_notice(mut self, notice: Duration) -> Self {
        self.shutdown_notice = notice;
        self
    }

    /// Switches keepalive on: a client from which nothing was received for this long gets a
    /// PING, whether it has calls or not. Default: off. If nothing comes back within
    /// [`keepalive_timeout`](Self::keepalive_timeout), the connection is closed and its
    /// handlers are dropped, as with every lost connection. Without keepalive the loss of a
    /// client that closed nothing is noticed only when something is sent to it.
    ///
    /// Off unless set, and with `Duration::MAX`, other than gRPC's usual two hours: a
    /// timer that waits on every connection, however far, makes each wait of the
    /// runtime dearer. Raised to 1 s where it is less. Anything read counts as an
    /// answer.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use grpc_runtime::Server;
    ///
    /// let server = Server::builder()
    ///     .keepalive_time(Duration::from_secs(2 * 60 * 60))
    ///     .keepalive_timeout(Duration::from_secs(20));
    /// # drop(server);
    /// ```
    #[must_use]
    pub fn keepalive_time(mut self, time: Duration) -> Self {
        self.upkeep.keepalive.time = limited(time.max(MIN));
        self
    }

    /// How long a client may take to answer when
    /// [`keepalive_time`](Self::keepalive_time) asks it. 20 s unless set; raised to
    /// 1 s where it is less.
    #[must_use]
    pub fn keepalive_timeout(mut self, timeout: Duration) -> Self {
        self.upkeep.keepalive.timeout = timeout.clamp(MIN, FOREVER);
        self
    }

    /// The least time between two PINGs of a client; 5 minutes unless set. Two that
    /// come too soon are forgiven, a third one closes the connection with GOAWAY
    /// `ENHANCE_YOUR_CALM` and the words `too_many_pings`, which make gRPC's clients
    /// ping less. Whatever the server sends for a call sets the count back to none,
    /// so clients that measure their connection by PINGs are not touched.
    ///
    /// Set it to the `keepalive_time` that your clients use, or a little less. With 0
    /// they may ping as often as [`Http2Options::control_burst`] lets them.
    ///
    /// [`Http2Options::control_burst`]: crate::Http2Options::control_burst
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use grpc_runtime::Server;
    ///
    /// let server = Server::builder()
    ///     .permit_keepalive_time(Duration::from_secs(25))
    ///     .permit_keepalive_without_calls(true);
    /// # drop(server);
    /// ```
    #[must_use]
    pub fn permit_keepalive_time(mut self, time: Duration) -> Self {
        self.upkeep.pings.min_interval = time;
        self
    }

    /// Whether clients may ping as often while they have no call. `false` unless
    /// set: then a PING every two hours is all that
    /// [`permit_keepalive_time`](Self::permit_keepalive_time) lets pass.
    #[must_use]
    pub fn permit_keepalive_without_calls(mut self, permit: bool) -> Self {
        self.upkeep.pings.without_calls = permit;
        self
    }

    /// Closes a connection that has had no call for this long, with GOAWAY, so that no call
    /// is lost. Default, and with `Duration::MAX`: no limit. Values below 1 s are raised to
    /// 1 s.
    #[must_use]
    pub fn max_connection_idle(mut self, limit: Duration) -> Self {
        self.upkeep.lifetime.max_idle = limited(limit.max(MIN));
        self
    }

    /// Limits the age of a connection, with a random variation of up to a tenth, so that
    /// clients reconnect one by one, and to other servers if there are any. The client gets
    /// GOAWAY; running calls may finish within
    /// [`max_connection_age_grace`](Self::max_connection_age_grace). Default, and with
    /// `Duration::MAX`: no limit. Values below 1 s are raised to 1 s.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use grpc_runtime::Server;
    ///
    /// let server = Server::builder()
    ///     .max_connection_idle(Duration::from_secs(10 * 60))
    ///     .max_connection_age(Duration::from_secs(60 * 60))
    ///     .max_connection_age_grace(Duration::from_secs(5 * 60));
    /// # drop(server);
    /// ```
    #[must_use]
    pub fn max_connection_age(mut self, limit: Duration) -> Self {
        self.upkeep.lifetime.max_age = limited(limit.max(MIN));
        self
    }

    /// How long calls may run on once their connection has reached
    /// [`max_connection_age`](Self::max_connection_age). Calls that still run then are cut;
    /// their callers see `UNAVAILABLE`. Default, and with `Duration::MAX`: no limit. 0 cuts
    /// them at once.
    #[must_use]
    pub fn max_connection_age_grace(mut self, grace: Duration) -> Self {
        self.upkeep.lifetime.age_grace = limited(grace);
        self
    }
}
