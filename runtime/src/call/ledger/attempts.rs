//! Reports the attempts of a channel's call to its observers.

use std::time::Instant;

use super::Ledger;
use super::live_attempts::{AttemptReason, LiveAttempt};
use crate::metadata::Metadata;
use crate::observe::attempt::{BegunAttempt, EndedAttempt};
use crate::observe::ended_call::{EndedCall, Traffic};
use crate::status::{Code, Status};
use crate::transport::PeerAddress;

impl Ledger {
    /// An attempt begins, after `previous` attempts that count, unless its call has already
    /// ended.
    #[cold]
    pub(crate) fn begin_attempt(&self, previous: u8, reason: AttemptReason, now: Instant) {
        if self.observers.is_empty() {
            return;
        }
        let mut end = self.end();
        if end.is_observed {
            return;
        }
        let attempt = end.attempts.begin(previous, reason, now);
        drop(end);
        let begun = self.begun(&attempt);
        self.observers.tell(|it| it.attempt_begun(&begun));
        self.follow(|it| it.attempt_begun(&begun));
    }

    fn begun(&self, attempt: &LiveAttempt) -> BegunAttempt<'_> {
        BegunAttempt {
            method: self.method,
            target: self.observers.target().unwrap_or_default(),
            number: attempt.number,
            previous: attempt.previous.into(),
            is_transparent: attempt.reason == AttemptReason::Transparent,
            is_hedge: attempt.reason == AttemptReason::Hedge,
        }
    }

    /// The metadata of an attempt. What the call's followers add replaces the call's `own`
    /// entries of the same name.
    pub(crate) fn attempt_metadata(&self, own: &Metadata, previous: u8) -> Option<Metadata> {
        if !self.is_followed {
            return None;
        }
        let attempt = self.end().attempts.get_mut(previous).map(|it| it.number);
        let (number, mut added) = (attempt.unwrap_or_default(), Metadata::new());
        self.follow(|it| it.attempt_metadata(number, &mut added));
        if added.is_empty() {
            return None;
        }
        let mut all = own.clone();
        for (key, _) in &added {
            all.remove(key);
        }
        all.extend(&added);
        Some(all)
    }

    /// An attempt has a stream to this peer. It may get another stream if this peer did not
    /// process it.
    pub(crate) fn attempt_goes_to(&self, previous: u8, peer: Option<&PeerAddress>, now: Instant) {
        let mut end = self.end();
        end.peer = peer.cloned();
        if let Some(attempt) = end.attempts.get_mut(previous) {
            attempt.peer = peer.cloned();
            attempt.has_stream = true;
        }
        if let Some(since) = end.waits_since.take() {
            drop(end);
            let waited = now.saturating_duration_since(since);
            self.follow(|it| it.picked(waited));
        }
    }

    /// The attempt has to wait before it can go on.
    #[cold]
    pub(crate) fn waits(&self, now: Instant) {
        self.end().waits_since.get_or_insert(now);
    }

    /// The name was resolved: an attempt that waits was also waiting for that.
    #[cold]
    pub(crate) fn name_resolved(&self, now: Instant) {
        let mut end = self.end();
        let since = end.waits_since.as_mut();
        let since = since.map(|since| std::mem::replace(since, now));
        drop(end);
        if let Some(since) = since {
            let waited = now.saturating_duration_since(since);
            self.follow(|it| it.name_resolved(waited));
        }
    }

    /// Of several attempts this one is now the call's.
    pub(crate) fn wins(&self, previous: u8, peer: Option<&PeerAddress>) {
        let mut end = self.end();
        end.winner = Some(previous);
        end.peer = peer.cloned();
    }

    /// An attempt has ended; the call continues.
    #[cold]
    pub(crate) fn end_attempt(&self, previous: u8, status: &Status, now: Instant) {
        let mut end = self.end();
        end.winner.take_if(|winner| *winner == previous);
        end.waits_since = None;
        let ended = end.attempts.end(previous, now);
        drop(end);
        if let Some(attempt) = ended {
            self.tell_attempt(&attempt, Err(status), Traffic::default(), now);
        }
    }

    /// No server has processed the attempt, so it is repeated. An attempt that never had a
    /// stream continues under the same number.
    #[cold]
    pub(crate) fn repeat_attempt(&self, previous: u8, status: &Status, now: Instant) {
        let attempt = self
            .end()
            .attempts
            .get_mut(previous)
            .map(|it| it.has_stream);
        if attempt == Some(true) {
            self.end_attempt(previous, status, now);
            self.begin_attempt(previous, AttemptReason::Transparent, now);
        }
    }

    fn tell_attempt(
        &self,
        attempt: &LiveAttempt,
        result: Result<(), &Status>,
        received: Traffic,
        now: Instant,
    ) {
        let ended = EndedAttempt {
            attempt: self.begun(attempt),
            peer: attempt.peer.as_ref(),
            elapsed: attempt.elapsed(now),
            result,
            sent: if attempt.has_stream {
                self.sent.traffic()
            } else {
                Traffic::default()
            },
            received,
        };
        self.observers.tell(|it| it.attempt_ended(&ended));
        self.follow(|it| it.attempt_ended(&ended));
    }

    /// The call ends with this attempt, or has settled on another one.
    pub(super) fn close_attempt(
        &self,
        attempt: &LiveAttempt,
        winner: Option<u8>,
        ended: &EndedCall<'_>,
        now: Instant,
    ) {
        if winner.is_none_or(|winner| winner == attempt.previous) {
            return self.tell_attempt(attempt, ended.result, ended.received, now);
        }
        let status = Status::new(Code::Cancelled, "the call continued with another attempt");
        self.tell_attempt(attempt, Err(&status), Traffic::default(), now);
    }
}
