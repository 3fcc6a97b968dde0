//! What a call holds until its handler's context is dropped: its places under a server's
//! limits.

use std::fmt::Debug;
use std::sync::Arc;

/// Something that each call holds once.
pub(crate) trait Holding: Debug + Send + Sync {
    /// A call no longer holds it.
    fn give_back(&self);
}

/// One call's hold.
#[derive(Debug)]
pub(crate) struct HeldPlaces(Arc<dyn Holding>);

impl HeldPlaces {
    /// Holds `holding` until this is dropped, which calls `give_back`.
    pub(crate) fn new(holding: Arc<dyn Holding>) -> Self {
        Self(holding)
    }
}

impl Drop for HeldPlaces {
    fn drop(&mut self) {
        self.0.give_back();
    }
}
