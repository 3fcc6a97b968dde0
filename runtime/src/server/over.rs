//! How a call's end reaches those who do not belong to its handler. It must never
//! keep a call alive.

use std::future::Future;
use std::sync::OnceLock;

use tokio::sync::watch;

/// Tells those who asked how the call ended; made with the first of them. Dropped
/// before [`answered`](Self::answered), it tells of a call broken off.
#[derive(Debug, Default)]
pub(crate) struct Over(OnceLock<watch::Sender<bool>>);

impl Over {
    /// Waits for the end; whether the call was broken off.
    pub(crate) fn cancelled(&self) -> impl Future<Output = bool> + Send + 'static + use<> {
        let mut ended = self.0.get_or_init(|| watch::Sender::new(false)).subscribe();
        async move { ended.wait_for(|answered| *answered).await.is_err() }
    }

    /// The handler is done.
    pub(crate) fn answered(&self) {
        if let Some(over) = self.0.get() {
            over.send_replace(true);
        }
    }
}
