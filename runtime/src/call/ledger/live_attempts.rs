//! The attempts of one observed call that have not ended.

use std::time::{Duration, Instant};

use crate::observe::ended_call::FurtherAttempts;
use crate::transport::PeerAddress;

/// Why an attempt was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AttemptReason {
    /// The call's first attempt.
    First,
    /// An earlier attempt failed, and the retry policy allows another.
    Retry,
    /// The hedging policy starts another attempt beside the running ones.
    Hedge,
    /// No server has processed the attempt before it (transparent retry).
    Transparent,
}

/// An attempt that has not ended.
#[derive(Clone, Debug)]
pub(crate) struct LiveAttempt {
    /// Its number among all attempts of the call, from 0.
    pub(crate) number: u32,
    /// The number of attempts before it that count for the policy.
    pub(crate) previous: u8,
    pub(crate) reason: AttemptReason,
    pub(crate) began: Instant,
    pub(crate) peer: Option<PeerAddress>,
    /// It has a stream and is being sent.
    pub(crate) has_stream: bool,
}

/// The attempts that have not ended. The first is stored inline, since most calls have only
/// one.
#[derive(Debug, Default)]
pub(super) struct LiveAttempts {
    first: Option<LiveAttempt>,
    others: Vec<LiveAttempt>,
    begun: u32,
    counts: FurtherAttempts,
    /// Since when there is no attempt.
    none_since: Option<Instant>,
}

impl LiveAttempts {
    /// An attempt begins.
    pub(super) fn begin(
        &mut self,
        previous: u8,
        reason: AttemptReason,
        now: Instant,
    ) -> LiveAttempt {
        let count = match reason {
            AttemptReason::First => None,
            AttemptReason::Retry => Some(&mut self.counts.retries),
            AttemptReason::Hedge => Some(&mut self.counts.hedges),
            AttemptReason::Transparent => Some(&mut self.counts.transparent_retries),
        };
        if let Some(count) = count {
            *count += 1;
        }
        if let Some(since) = self.none_since.take() {
            self.counts.delay += now.saturating_duration_since(since);
        }
        let attempt = LiveAttempt {
            number: self.begun,
            previous,
            reason,
            began: now,
            peer: None,
            has_stream: false,
        };
        self.begun += 1;
        match &mut self.first {
            first @ None if self.others.is_empty() => *first = Some(attempt.clone()),
            _ => self.others.push(attempt.clone()),
        }
        attempt
    }

    /// The attempt with this number of attempts before it.
    pub(super) fn get_mut(&mut self, previous: u8) -> Option<&mut LiveAttempt> {
        let mut all = self.first.iter_mut().chain(&mut self.others);
        all.find(|attempt| attempt.previous == previous)
    }

    /// The attempt has ended.
    pub(super) fn end(&mut self, previous: u8, now: Instant) -> Option<LiveAttempt> {
        let is_it = |attempt: &LiveAttempt| attempt.previous == previous;
        let ended = self.first.take_if(|attempt| is_it(attempt)).or_else(|| {
            let index = self.others.iter().position(is_it)?;
            Some(self.others.remove(index))
        });
        if self.first.is_none() && self.others.is_empty() {
            self.none_since = Some(now);
        }
        ended
    }

    /// The call has ended, and with it all attempts.
    pub(super) fn end_all(&mut self) -> impl Iterator<Item = LiveAttempt> + use<> {
        let others = std::mem::take(&mut self.others);
        self.first.take().into_iter().chain(others)
    }

    pub(super) fn counts(&self) -> FurtherAttempts {
        self.counts
    }

    /// How many attempts there have been.
    pub(super) fn begun(&self) -> u32 {
        self.begun
    }
}

impl LiveAttempt {
    pub(super) fn elapsed(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.began)
    }
}

#[cfg(test)]
mod tests;
