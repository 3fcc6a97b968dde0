//! What a call holds until its handler's context is dropped, such as its places under limits.

use std::fmt::Debug;
use std::sync::Arc;

/// What calls hold, each once.
pub(crate) trait Holding: Debug + Send + Sync {
    /// A call holds it no more.
    fn give_back(&self);
}

/// One call's hold.
#[derive(Debug)]
pub(crate) struct HeldPlaces(Arc<dyn Holding>);

impl HeldPlaces {
    /// It is given back once this is dropped.
    pub(crate) fn new(holding: Arc<dyn Holding>) -> Self {
        Self(holding)
    }
}

impl Drop for HeldPlaces {
    fn drop(&mut self) {
        self.0.give_back();
    }
}
