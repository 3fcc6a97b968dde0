//! Decides when changed content is checked: once it has stayed the same for [`SETTLE`], and
//! again until it is accepted. Sans-IO: content and time are arguments.

use std::time::{Duration, Instant};

/// Changed content must stay the same for this long, or for one interval if that is shorter.
/// A program that writes a chain and its key one after the other, or a file piece by piece,
/// is done by then; half a chain could be taken for a whole one.
const SETTLE: Duration = Duration::from_secs(1);

/// The content in use, and the changed content that may replace it.
#[derive(Debug)]
pub(super) struct Settling<C> {
    in_use: C,
    found: Option<Found<C>>,
    /// The interval between two reads.
    every: Duration,
}

#[derive(Debug)]
struct Found<C> {
    content: C,
    since: Instant,
    /// It was refused, and the refusal was reported.
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

    /// The content that was read now. Returns it if it has to be checked.
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

    /// The content that was read last was accepted and is in use.
    pub(super) fn taken(&mut self) {
        if let Some(found) = self.found.take() {
            self.in_use = found.content;
        }
    }

    /// The content that was read last was refused; `true` if that has not been reported yet.
    pub(super) fn refused(&mut self) -> bool {
        let told = self.found.as_mut().map(|found| &mut found.is_told);
        told.is_some_and(|is_told| !std::mem::replace(is_told, true))
    }

    /// The time until the next read: short while changed content settles.
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
