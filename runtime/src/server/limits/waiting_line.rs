//! Calls that wait for a place, first come first served. Sans-IO.

use std::collections::BTreeMap;
use std::task::Waker;

/// The waiting calls, by number, with their wakers.
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

    /// Returns whether this call still waits, and stores `waker` in place of an earlier one.
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

    /// Removes the call that has waited longest and returns its waker, if it has one.
    pub(super) fn take_first(&mut self) -> Option<Waker> {
        self.waiting.pop_first().and_then(|(_, waker)| waker)
    }

    /// Removes a call that stops waiting; `false` if it was removed before.
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
