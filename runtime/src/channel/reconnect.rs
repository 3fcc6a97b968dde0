//! Options for connecting: how long an attempt may take, how long to wait between attempts, and
//! on which runtime connections run. The subchannel applies them.

use std::time::Duration;

use super::backoff::Waits;
use super::builder::ChannelBuilder;
use crate::transport::http2::durations::{FOREVER, limited};

/// Looking names up more often than this burdens name servers without finding more.
const MIN_AGE: Duration = Duration::from_secs(1);
/// A shorter wait would make a busy loop of refused connections.
const MIN_WAIT: Duration = Duration::from_millis(10);
const MIN_TIMEOUT: Duration = Duration::from_millis(10);

impl ChannelBuilder {
    /// The waits between attempts to connect, each from the start of a failed attempt to
    /// the start of the next: `first` after the first failure, then 1.6 times the wait
    /// before, at most `longest`; ±20 %, so that clients do not reconnect at the same time.
    /// 1 s and 120 s unless set, as in other gRPC implementations; values below 10 ms are
    /// raised to 10 ms. The waits start again from `first` once a connection has
    /// answered a call or lasted for some time.
    ///
    /// Until an attempt succeeds, calls fail with `UNAVAILABLE` unless they wait for
    /// readiness. [`Channel::connect`](crate::Channel::connect) tries at once.
    ///
    /// ```
    /// # fn main() -> Result<(), grpc_runtime::ChannelError> {
    /// use std::time::Duration;
    ///
    /// use grpc_runtime::{Channel, ChannelCredentials};
    ///
    /// let channel = Channel::builder("localhost:50051")?
    ///     .reconnect_backoff(Duration::from_millis(100), Duration::from_secs(5))
    ///     .connect_timeout(Duration::from_secs(3))
    ///     .build(ChannelCredentials::insecure())?;
    /// # drop(channel);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn reconnect_backoff(mut self, first: Duration, longest: Duration) -> Self {
        let first = first.clamp(MIN_WAIT, FOREVER);
        self.backoff = Waits {
            first,
            longest: longest.clamp(first, FOREVER),
        };
        self
    }

    /// The longest that an attempt to connect to one address may take, including TLS and
    /// HTTP/2, and the longest that resolving the name may take. 20 s unless set, as in
    /// other gRPC implementations; values below 10 ms are raised to 10 ms.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout.clamp(MIN_TIMEOUT, FOREVER);
        self
    }

    /// Resolves the target's name again when the last result is this old, even if all
    /// connections work, so that new servers are found, for example behind a Kubernetes
    /// service. Off by default and with `Duration::MAX`; values below 1 s are raised to 1
    /// s. Without it the name is resolved again only when a connection is lost or cannot be
    /// established, at most every 30 s.
    ///
    /// After a change the channel connects to new addresses and closes the connections to
    /// removed ones once their calls are over. Other connections stay.
    #[must_use]
    pub fn max_resolution_age(mut self, age: Duration) -> Self {
        self.max_resolution_age = limited(age).map(|age| age.max(MIN_AGE));
        self
    }

    /// Runs the channel's connections on a background thread instead of the runtime of the
    /// first call. All such channels and all blocking callers of the process share that
    /// thread. Off by default, since calls cost less on the thread that makes them.
    ///
    /// Use it for a channel that outlives the runtimes of its callers, such as a static
    /// that tests share, each test with its own runtime: the end of one runtime then cuts
    /// no other test's calls.
    ///
    /// ```
    /// use std::sync::LazyLock;
    ///
    /// use grpc_runtime::{Channel, ChannelCredentials};
    ///
    /// static CHANNEL: LazyLock<Channel> = LazyLock::new(|| {
    ///     let builder = Channel::builder("localhost:50051").expect("a target");
    ///     let builder = builder.background_connections();
    ///     builder.build(ChannelCredentials::insecure()).expect("a channel")
    /// });
    /// # LazyLock::force(&CHANNEL);
    /// ```
    #[must_use]
    pub fn background_connections(mut self) -> Self {
        self.in_background = true;
        self
    }
}
