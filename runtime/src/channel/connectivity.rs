//! The connectivity state of a channel, to read and to watch. The hub writes it.

use tokio::sync::watch;

/// The connectivity state of a channel, by gRPC's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConnectivityState {
    /// There is no connection, and none is needed. A call or
    /// [`Channel::connect`](crate::Channel::connect) starts one.
    Idle,
    /// A connection is being established.
    Connecting,
    /// A connection is established, up to HTTP/2: calls are sent at once.
    Ready,
    /// An attempt to connect failed and none has succeeded since. The next attempt is in
    /// progress or waits for its backoff. Calls fail with `UNAVAILABLE` unless they wait
    /// for readiness.
    TransientFailure,
    /// The channel was closed or dropped. This state is final.
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

/// Holds a channel's state.
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

    /// Sets the final state.
    pub(super) fn shut_down(&self) {
        self.watch.send_replace(ConnectivityState::Shutdown);
    }

    /// Sets the state; `false` if the channel was closed, which is final.
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
        // The sender is borrowed here, so the wait cannot fail.
        let _ = watch
            .wait_for(|state| *state == ConnectivityState::Shutdown)
            .await;
    }
}

/// Follows the state of a channel; see
/// [`Channel::watch_state`](crate::Channel::watch_state). It does not keep the channel
/// alive.
#[derive(Debug, Clone)]
pub struct StateWatch(watch::Receiver<ConnectivityState>);

impl StateWatch {
    /// The current state. It may change at any moment.
    pub fn state(&self) -> ConnectivityState {
        *self.0.borrow()
    }

    /// Waits until the state differs from the one that this method or
    /// [`wait_for`](Self::wait_for) last returned, and returns it. A state that lasts only
    /// briefly may be missed. `None` once the channel and all its clones were dropped.
    /// Dropping the future loses no change.
    pub async fn changed(&mut self) -> Option<ConnectivityState> {
        self.0.changed().await.ok()?;
        Some(*self.0.borrow_and_update())
    }

    /// Waits until the channel is in `state`. `false` if that is no longer possible,
    /// because the channel was closed or dropped.
    pub async fn wait_for(&mut self, state: ConnectivityState) -> bool {
        let arrived = self
            .0
            .wait_for(|now| *now == state || *now == ConnectivityState::Shutdown)
            .await;
        let now = arrived.map_or(ConnectivityState::Shutdown, |now| *now);
        now == state
    }
}
