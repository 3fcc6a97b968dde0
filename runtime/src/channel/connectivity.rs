//! What a channel is doing, for those who ask and those who watch. It never decides
//! anything: the hub says what is so.

use tokio::sync::watch;

/// The state of a channel, as all of gRPC names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConnectivityState {
    /// No connection, and nothing that needs one: a call or
    /// [`Channel::connect`](crate::Channel::connect) makes one.
    Idle,
    /// A connection is being made.
    Connecting,
    /// The server answered as HTTP/2: calls go out at once.
    Ready,
    /// An attempt failed and none has succeeded since: the next one waits for its
    /// time, or is being made. Calls fail with `UNAVAILABLE` unless they wait for
    /// readiness.
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
}

impl Connectivity {
    pub(super) fn new() -> Self {
        Self {
            watch: watch::Sender::new(ConnectivityState::Idle),
        }
    }

    pub(super) fn state(&self) -> ConnectivityState {
        *self.watch.borrow()
    }

    pub(super) fn watch(&self) -> StateWatch {
        StateWatch(self.watch.subscribe())
    }

    /// Nothing follows on this.
    pub(super) fn shut_down(&self) {
        self.watch.send_replace(ConnectivityState::Shutdown);
    }

    /// `false` where the channel was closed, which stays so.
    pub(super) fn set(&self, state: ConnectivityState) -> bool {
        let mut is_open = true;
        self.watch.send_if_modified(|current| {
            is_open = *current != ConnectivityState::Shutdown;
            let moves = is_open && *current != state;
            if moves {
                *current = state;
            }
            moves
        });
        is_open
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

/// Follows the state of a channel; see
/// [`Channel::watch_state`](crate::Channel::watch_state). It keeps no
/// channel alive.
#[derive(Debug, Clone)]
pub struct StateWatch(watch::Receiver<ConnectivityState>);

impl StateWatch {
    /// The state now. It may be another one a moment later.
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
