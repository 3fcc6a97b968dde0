//! The locks that tasks of one call share, and their replacements when a model checker runs
//! their interleavings (`--cfg shuttle`).

#[cfg(not(shuttle))]
pub(crate) use std::sync::atomic::{AtomicBool, Ordering};
#[cfg(not(shuttle))]
pub(crate) use std::sync::{Mutex, MutexGuard};

#[cfg(shuttle)]
pub(crate) use shuttle::sync::atomic::{AtomicBool, Ordering};
#[cfg(shuttle)]
pub(crate) use shuttle::sync::{Mutex, MutexGuard};
