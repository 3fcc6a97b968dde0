//! Options of a server for keepalive, permitted PINGs, idleness and age of connections.
//! Connections apply them.

use std::time::Duration;

use super::builder::ServerBuilder;
use crate::transport::http2::durations::{FOREVER, limited};

/// The minimum that grpc-go 1.33.3 uses for a server's PINGs: a smaller value is a mistake
/// of units.
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
    /// It is also off with `Duration::MAX`. gRPC's usual default is two hours; here it is
    /// off, since a timer on every connection makes each wait of the runtime slower. Values
    /// below 1 s are raised to 1 s. Any received bytes count as an answer.
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

    /// Sets how long a client may take to answer the PING of
    /// [`keepalive_time`](Self::keepalive_time). Default: 20 s. Values below 1 s are raised
    /// to 1 s.
    #[must_use]
    pub fn keepalive_timeout(mut self, timeout: Duration) -> Self {
        self.upkeep.keepalive.timeout = timeout.clamp(MIN, FOREVER);
        self
    }

    /// Sets the least time between two PINGs of a client. Default: 5 minutes. Two PINGs that
    /// come too soon are tolerated; a third one closes the connection with GOAWAY
    /// `ENHANCE_YOUR_CALM` and the text `too_many_pings`, which makes gRPC's clients ping
    /// less often. Frames that the server sends for a call reset the count, so clients that
    /// measure bandwidth by PINGs are not affected.
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

    /// Sets whether clients may ping as often while they have no call. Default: `false`:
    /// without calls the least time between PINGs is two hours in place of
    /// [`permit_keepalive_time`](Self::permit_keepalive_time).
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
