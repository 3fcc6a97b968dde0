//! The entries of one kind in a registry, held weakly.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Something of which a snapshot can be taken.
pub(crate) trait Inspected<T>: Send + Sync {
    fn inspect(&self) -> T;
}

/// The entries that have not been dropped.
pub(crate) struct Entries<T>(Mutex<Vec<Weak<dyn Inspected<T>>>>);

impl<T> Default for Entries<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Entries<T> {
    pub(crate) fn enter(&self, one: Weak<dyn Inspected<T>>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|it| it.strong_count() > 0);
        all.push(one);
    }

    /// Snapshots of all entries that are alive, in the order in which they were entered.
    pub(crate) fn snapshots(&self) -> Vec<T> {
        // Not under the lock: this may hold the last reference to an entry, and dropping
        // that takes long.
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let alive: Vec<_> = all.iter().filter_map(Weak::upgrade).collect();
        drop(all);
        alive.iter().map(|one| one.inspect()).collect()
    }
}

impl<T> fmt::Debug for Entries<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entries")
    }
}

/// The registries that a new entry is entered into.
#[derive(Debug)]
pub(crate) struct Registries<T>(Vec<Arc<Entries<T>>>);

impl<T> Default for Registries<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Registries<T> {
    pub(crate) fn push(&mut self, entries: Arc<Entries<T>>) {
        self.0.push(entries);
    }

    pub(crate) fn enter(&self, one: &Arc<impl Inspected<T> + 'static>) {
        for entries in &self.0 {
            let one: Weak<dyn Inspected<T>> = Arc::downgrade(one) as _;
            entries.enter(one);
        }
    }
}
