//! What a channel's connection is doing, for those who ask and those who watch.
//! It must never decide anything: the subchannel says what is so.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

use super::handle::Channel;

/// The state of a channel, as all of gRPC names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConnectivityState {
    /// No connection, and nothing that needs one: a call or
    /// [`Channel::connect`] makes one.
    Idle,
    /// A connection is being made.
    Connecting,
    /// The server answered as HTTP/2: calls go out at once.
    Ready,
    /// The last attempt failed and the next one waits for its time. Calls fail
    /// with `UNAVAILABLE` unless they wait for readiness.
    TransientFailure,
    /// The channel was closed or is gone; it stays so.
    Shutdown,
}

impl std::fmt::Display for ConnectivityState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Idle => "IDLE",
            Self::Connecting => "CONNECTING",
            Self::Ready => "READY",
            Self::TransientFailure => "TRANSIENT_FAILURE",
            Self::Shutdown => "SHUTDOWN",
        })
    }
}

/// The one place where a channel's state is kept.
#[derive(Debug)]
pub(crate) struct Connectivity {
    watch: watch::Sender<ConnectivityState>,
    /// The latest subchannel, which alone says what is so.
    latest: AtomicU64,
}

impl Connectivity {
    pub(crate) fn new() -> Self {
        Self {
            watch: watch::Sender::new(ConnectivityState::Idle),
            latest: AtomicU64::new(0),
        }
    }

    pub(crate) fn state(&self) -> ConnectivityState {
        *self.watch.borrow()
    }

    /// Nothing follows on this.
    pub(crate) fn shut_down(&self) {
        self.watch.send_replace(ConnectivityState::Shutdown);
    }

    /// The number of a subchannel that begins. Nobody listens to those before it any
    /// more, which may take their time to end.
    pub(crate) fn succeed(&self) -> u64 {
        self.latest.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// What the subchannel of this number says is so, if it is the latest.
    pub(crate) fn set(&self, number: u64, state: ConnectivityState) {
        self.watch.send_if_modified(|current| {
            let moves = number == self.latest.load(Ordering::Relaxed)
                && *current != ConnectivityState::Shutdown
                && *current != state;
            if moves {
                *current = state;
            }
            moves
        });
    }

    /// Waits until the channel is closed.
    pub(crate) async fn closed(&self) {
        let mut watch = self.watch.subscribe();
        // The sender is borrowed, so it cannot go away meanwhile.
        let _ = watch
            .wait_for(|state| *state == ConnectivityState::Shutdown)
            .await;
    }
}

/// Follows the state of a channel; see [`Channel::watch_state`]. It keeps no
/// channel alive.
#[derive(Debug, Clone)]
pub struct StateWatch(watch::Receiver<ConnectivityState>);

impl StateWatch {
    /// The state now.
    pub fn state(&self) -> ConnectivityState {
        *self.0.borrow()
    }

    /// Waits until the state is another than when this, or
    /// [`wait_for`](Self::wait_for), last returned, and gives it. A state that
    /// lasts but a moment may be missed. `None` once the channel is gone, with
    /// all its clones. Dropping the future loses nothing.
    pub async fn changed(&mut self) -> Option<ConnectivityState> {
        self.0.changed().await.ok()?;
        Some(*self.0.borrow_and_update())
    }

    /// Waits until the channel is in `state`; `false` if that can no longer
    /// be, because the channel was closed or is gone.
    pub async fn wait_for(&mut self, state: ConnectivityState) -> bool {
        let arrived = self
            .0
            .wait_for(|now| *now == state || *now == ConnectivityState::Shutdown)
            .await;
        let now = arrived.map_or(ConnectivityState::Shutdown, |now| *now);
        now == state
    }
}

impl Channel {
    /// What the channel's connection is doing.
    pub fn state(&self) -> ConnectivityState {
        self.connectivity().state()
    }

    /// Follows the state of the channel.
    ///
    /// ```no_run
    /// # async fn ready() -> Result<(), Box<dyn std::error::Error>> {
    /// use grpc_runtime::{Channel, ConnectivityState};
    ///
    /// let channel = Channel::insecure("localhost:50051")?;
    /// let mut states = channel.watch_state();
    /// channel.connect()?;
    /// states.wait_for(ConnectivityState::Ready).await;
    /// # Ok(())
    /// # }
    /// ```
    pub fn watch_state(&self) -> StateWatch {
        StateWatch(self.connectivity().watch.subscribe())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_latest_subchannel_is_listened_to() {
        let connectivity = Connectivity::new();
        let first = connectivity.succeed();
        connectivity.set(first, ConnectivityState::Connecting);
        let second = connectivity.succeed();
        connectivity.set(second, ConnectivityState::Ready);
        // One whose runtime is shut down takes its time.
        connectivity.set(first, ConnectivityState::Idle);
        assert_eq!(connectivity.state(), ConnectivityState::Ready);
        connectivity.shut_down();
        connectivity.set(second, ConnectivityState::Idle);
        assert_eq!(connectivity.state(), ConnectivityState::Shutdown);
    }
}
