//! How a server's shutdown reaches its calls: one signal per server, which goes from stage to
//! stage and never back. A call that does not ask pays for one comparison.

use std::future::{Future, pending};
use std::sync::Arc;

use tokio::sync::watch;

/// How far a server is on its way out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ShutdownStage {
    #[default]
    Serving,
    /// It has been told to stop and still serves whoever comes: the notice.
    Leaving,
    /// Calls come to their ends: the grace.
    Draining,
    /// It is no more.
    Gone,
}

/// What calls hold of it.
#[derive(Debug)]
pub(crate) struct ShutdownSignal(watch::Sender<ShutdownStage>);

/// What the server holds of it: dropped, the server is gone.
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

    /// A server that has been there stays where it is.
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

    /// Waits for a server to be as far; for ever where there is none. The future may
    /// outlive all there is.
    pub(crate) fn reached(
        signal: Option<&Arc<Self>>,
        stage: ShutdownStage,
    ) -> impl Future<Output = ()> + Send + 'static + use<> {
        let reached = signal.map(|signal| signal.0.subscribe());
        async move {
            match reached {
                // Without a sender there is no server.
                Some(mut reached) => drop(reached.wait_for(|reached| *reached >= stage).await),
                None => pending().await,
            }
        }
    }
}
