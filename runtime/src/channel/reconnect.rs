//! Options for connecting: how long an attempt may take, how long to wait between attempts, and
//! on which runtime connections run. The subchannel applies them.

use std::time::Duration;

use super::backoff::Waits;
use super::builder::ChannelBuilder;
use crate::transport::http2::durations::{FOREVER, limited};

/// What is more often only wears out name servers.
const MIN_AGE: Duration = Duration::from_secs(1);
/// Less would make a loop of what a refused connection is.
const MIN_WAIT: Duration = Duration::from_millis(10);
const MIN_TIMEOUT: Duration = Duration::from_millis(10);

impl ChannelBuilder {
    /// How long after an attempt to connect that failed the next one begins, from the
    /// beginning of one to that of the other: `first` after the first, 1.6 times as
    /// long after each further one, `longest` at most; ±20 %, so that clients do not
    /// come back together. 1 s and 120 s unless set, as in all of gRPC; raised to 10 ms
    /// where they are less. It begins anew once a connection has served.
    ///
    /// Until one succeeds calls fail with `UNAVAILABLE` unless they wait for readiness.
    /// [`Channel::connect`](crate::Channel::connect) tries at once.
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

    /// How long an attempt to connect to one address may take, TLS and HTTP/2
    /// included, and how long its name may take to be resolved. 20 s unless set, as in
    /// all of gRPC; raised to 10 ms where it is less.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout.clamp(MIN_TIMEOUT, FOREVER);
        self
    }

    /// Looks the target's name up again when the last answer is this old, though every
    /// connection is in order: servers that joined are found, as those behind a name
    /// of Kubernetes. Off unless set, and with `Duration::MAX`; raised to 1 s where it
    /// is less. Without it a name is looked up again when a connection is lost or
    /// cannot be made, at most every 30 s.
    ///
    /// A change opens connections to new addresses and closes those to addresses that
    /// are gone, once their calls are over; the others stay.
    #[must_use]
    pub fn max_resolution_age(mut self, age: Duration) -> Self {
        self.max_resolution_age = limited(age).map(|age| age.max(MIN_AGE));
        self
    }

    /// Runs the channel's connections on a thread in the background, which all such
    /// channels and all blocking callers of the process share, in place of the runtime
    /// of the first call. Off unless set, since calls are cheaper on the thread that
    /// makes them.
    ///
    /// It is for a channel that outlives the runtimes of its callers, as in a static
    /// that tests share, each with a runtime of its own: when the first one's ends, no
    /// call of another's is cut.
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
