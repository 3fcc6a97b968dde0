//! Tells a server's calls about its shutdown: one signal per server, whose stage only
//! advances. A call that does not use it pays for one comparison.

use std::future::{Future, pending};
use std::sync::Arc;

use tokio::sync::watch;

/// The stages of a server's shutdown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ShutdownStage {
    #[default]
    Serving,
    /// Shutdown was requested, and the server still accepts new calls during its notice
    /// period.
    Leaving,
    /// No new calls; running calls have the grace period to end.
    Draining,
    /// The server has stopped.
    Gone,
}

/// The calls' handle to the signal.
#[derive(Debug)]
pub(crate) struct ShutdownSignal(watch::Sender<ShutdownStage>);

/// The server's handle to the signal. Dropping it sets the stage to `Gone`.
#[derive(Debug)]
pub(crate) struct Shutdown(Arc<ShutdownSignal>);

impl Default for Shutdown {
    fn default() -> Self {
        let stage = watch::Sender::new(ShutdownStage::default());
        Self(Arc::new(ShutdownSignal(stage)))
    }
}

impl Shutdown {
    pub(crate) fn signal(&self) -> &Arc<ShutdownSignal> {
        &self.0
    }

    /// Advances to `stage`; does nothing if the server has already reached it.
    pub(crate) fn reach(&self, stage: ShutdownStage) {
        self.0.0.send_if_modified(|reached| {
            let is_news = stage > *reached;
            *reached = stage.max(*reached);
            is_news
        });
    }
}

impl Drop for Shutdown {
    fn drop(&mut self) {
        self.reach(ShutdownStage::Gone);
    }
}

impl ShutdownSignal {
    pub(crate) fn has_reached(&self, stage: ShutdownStage) -> bool {
        *self.0.borrow() >= stage
    }

    /// Waits until a server reaches `stage`; waits for ever without a server. The future is
    /// `'static`.
    pub(crate) fn reached(
        signal: Option<&Arc<Self>>,
        stage: ShutdownStage,
    ) -> impl Future<Output = ()> + Send + 'static + use<> {
        let reached = signal.map(|signal| signal.0.subscribe());
        async move {
            match reached {
                // The sender is gone, so the server is too.
                Some(mut reached) => drop(reached.wait_for(|reached| *reached >= stage).await),
                None => pending().await,
            }
        }
    }
}
