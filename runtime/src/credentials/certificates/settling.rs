//! When content that changes is judged: once it has stood still, and again until it is
//! accepted. Sans-IO: content and time are arguments.

use std::time::{Duration, Instant};

/// Content that changed has to be the same for this long, or for the time between two
/// looks where that is less. What writes a chain and its key one after the other, or a
/// file piece by piece, is done by then; half of a chain could pass for a whole one.
const SETTLE: Duration = Duration::from_secs(1);

/// What is in use, and what was found in its place.
#[derive(Debug)]
pub(super) struct Settling<C> {
    in_use: C,
    found: Option<Found<C>>,
    /// Between two looks.
    every: Duration,
}

#[derive(Debug)]
struct Found<C> {
    content: C,
    since: Instant,
    /// It was refused, and that was told.
    is_told: bool,
}

impl<C: PartialEq> Settling<C> {
    pub(super) fn new(in_use: C, every: Duration) -> Self {
        Self {
            in_use,
            found: None,
            every,
        }
    }

    /// This is there now; gives it back where it has to be judged.
    pub(super) fn look(&mut self, content: C, now: Instant) -> Option<&C> {
        if content == self.in_use {
            self.found = None;
            return None;
        }
        let settle = self.settle();
        let found = self.found.take().filter(|found| found.content == content);
        let found = self.found.insert(found.unwrap_or(Found {
            content,
            since: now,
            is_told: false,
        }));
        let stands_still = now.saturating_duration_since(found.since) >= settle;
        stands_still.then_some(&found.content)
    }

    /// What was looked at last is in use from now on.
    pub(super) fn taken(&mut self) {
        if let Some(found) = self.found.take() {
            self.in_use = found.content;
        }
    }

    /// What was looked at last is no good; whether that has not been told.
    pub(super) fn refused(&mut self) -> bool {
        let told = self.found.as_mut().map(|found| &mut found.is_told);
        told.is_some_and(|is_told| !std::mem::replace(is_told, true))
    }

    /// How long it is until the next look: not long while something settles.
    pub(super) fn rest(&self) -> Duration {
        match &self.found {
            Some(found) if !found.is_told => self.settle(),
            _ => self.every,
        }
    }

    fn settle(&self) -> Duration {
        SETTLE.min(self.every)
    }
}

#[cfg(test)]
mod tests;
