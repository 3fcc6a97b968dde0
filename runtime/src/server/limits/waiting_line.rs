//! Calls that wait for a place, first come first served. Sans-IO.

use std::collections::BTreeMap;
use std::task::Waker;

/// Those who wait, by their numbers, and how each is woken.
#[derive(Debug, Default)]
pub(super) struct WaitingLine {
    next: u64,
    waiting: BTreeMap<u64, Option<Waker>>,
}

impl WaitingLine {
    /// Somebody comes to the end of the line.
    pub(super) fn join(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        self.waiting.insert(number, None);
        number
    }

    /// Whether this one still waits; woken is who asked last.
    pub(super) fn waits(&mut self, number: u64, waker: &Waker) -> bool {
        let Some(place) = self.waiting.get_mut(&number) else {
            return false;
        };
        match place {
            Some(known) => known.clone_from(waker),
            None => *place = Some(waker.clone()),
        }
        true
    }

    /// Takes off who has waited longest: to be woken, if there is somebody to wake.
    pub(super) fn take_first(&mut self) -> Option<Waker> {
        self.waiting.pop_first().and_then(|(_, waker)| waker)
    }

    /// Somebody waits no more; `false` for who had been taken off before.
    pub(super) fn give_up(&mut self, number: u64) -> bool {
        self.waiting.remove(&number).is_some()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests;
