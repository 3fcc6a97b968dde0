//! The shared state of a call's attempts: their course, the request to send again, and
//! their results. The tasks of several connections may hold it; no task is woken under its
//! lock.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::course::{Course, HEDGE, Hedge, Pushback, Verdict};
use super::plan::Plan;
use super::replay::{Replay, ReplayPosition};
use crate::call::state::Outgoing;
use crate::status::{Code, FailedAttempt, Status};

/// The attempts of one call, and the channel that starts them (`H`).
pub(crate) struct Attempts<H> {
    plan: Plan,
    home: H,
    held: Mutex<AttemptsState>,
}

struct AttemptsState {
    course: Course,
    first: Attempted,
    others: Vec<Attempted>,
    replay: Replay,
    /// The bytes of it that count against the channel's limit.
    kept: usize,
    /// The attempts that failed, for the call's status.
    failures: Vec<FailedAttempt>,
    /// The status of the last failed attempt, if others ran beside it.
    last: Option<Status>,
}

/// One attempt, identified by its number.
#[derive(Clone, Copy, Debug, Default)]
struct Attempted {
    /// When it starts; `None` for at once.
    due: Option<Instant>,
    /// When it got its stream.
    began: Option<Instant>,
    /// It has a stream.
    is_live: bool,
    /// The number of the subchannel that was last picked for it.
    subchannel: Option<u64>,
    progress: ReplayPosition,
}

/// What happens to a call after the end of an attempt.
pub(super) enum After {
    /// The call ends with this status.
    Ends(Status),
    /// Another attempt starts, with this number.
    Again(u8),
    /// Other attempts continue the call.
    Others,
}

impl<H> Attempts<H> {
    pub(crate) fn new(plan: Plan, home: H) -> Arc<Self> {
        Arc::new(Self {
            plan,
            home,
            held: Mutex::new(AttemptsState {
                course: Course::new(),
                first: Attempted::default(),
                others: Vec::new(),
                replay: Replay::default(),
                kept: 0,
                failures: Vec::new(),
                last: None,
            }),
        })
    }

    /// No code that can panic runs while this lock is held.
    fn lock(&self) -> MutexGuard<'_, AttemptsState> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether several attempts may run in parallel.
    pub(crate) fn is_hedged(&self) -> bool {
        self.plan.hedging().is_some()
    }

    /// The channel that starts further attempts.
    pub(super) fn home(&self) -> &H {
        &self.home
    }

    // --- hedges ----------------------------------------------------------------------

    /// Whether a hedge from now on waits for its start, beside the first attempt.
    pub(crate) fn plan_hedge(&self, now: Instant) -> bool {
        self.lock().course.plan_hedge(&self.plan, now)
    }

    /// Whether this attempt starts later.
    pub(super) fn is_deferred(&self, number: u8) -> bool {
        self.lock().of(number).due.is_some()
    }

    /// When this attempt starts; `None` for now. Returned once.
    pub(crate) fn due(&self, number: u8) -> Option<Instant> {
        let mut held = self.lock();
        if number == HEDGE {
            held.course.next_hedge()
        } else {
            held.of(number).due.take()
        }
    }

    pub(super) fn hedge(&self, now: Instant) -> Hedge {
        self.lock().course.hedge(&self.plan, now)
    }

    /// What happens to an attempt whose start time has come.
    pub(super) fn on_due(&self, number: u8, now: Instant) -> After {
        let mut held = self.lock();
        match held.course.on_due(&self.plan, number, now) {
            Verdict::Next(number, _) => After::Again(number),
            Verdict::Others => After::Others,
            Verdict::Final => {
                held.let_go(&self.plan);
                let none = || Status::new(Code::Unavailable, "no further attempts may begin");
                let status = held.last.take().unwrap_or_else(none);
                After::Ends(held.tell(status))
            }
        }
    }

    /// Whether another attempt than this one went to the subchannel of this number.
    pub(super) fn have_been_at(&self, subchannel: u64, number: u8) -> bool {
        let held = self.lock();
        let all = (0_u8..).zip(std::iter::once(&held.first).chain(&held.others));
        let mut others = all.filter(|(at, _)| *at != number);
        others.any(|(_, it)| it.subchannel == Some(subchannel))
    }

    /// This attempt goes to the subchannel of this number.
    pub(super) fn goes_to(&self, subchannel: u64, number: u8) {
        self.lock().of(number).subchannel = Some(subchannel);
    }

    // --- on a stream -----------------------------------------------------------------

    /// An attempt has its stream.
    pub(crate) fn begin(&self, number: u8, now: Instant) {
        let mut held = self.lock();
        let attempted = held.of(number);
        attempted.began = Some(now);
        attempted.is_live = true;
        attempted.progress = ReplayPosition::default();
    }

    /// The head of a response has arrived. `false` if the call has committed to another
    /// attempt.
    pub(crate) fn commit(&self, number: u8) -> bool {
        let mut held = self.lock();
        let is_its = held.course.commit(number);
        let progress = held.of(number).progress;
        if is_its && held.replay.is_passed(&progress) {
            held.let_go(&self.plan);
            held.of(number).progress.restart();
        }
        is_its
    }

    /// Whether the call has not committed to an attempt.
    pub(super) fn is_open(&self) -> bool {
        self.lock().course.is_open()
    }

    /// Whether the call continues without this attempt.
    pub(crate) fn is_lost(&self, number: u8) -> bool {
        self.lock().course.is_lost(number)
    }

    /// What this attempt sends next: what other attempts have sent before it, and then what
    /// the call's sender gives (`outgoing`). The sender may hold its data back for a moment
    /// (`None`) only if there is nothing else. If the data becomes too much to keep, the
    /// call commits to the attempt that has sent the most: returns its number.
    pub(crate) fn take(
        &self,
        number: u8,
        outgoing: impl FnOnce(bool) -> Option<Outgoing>,
    ) -> Option<(Outgoing, Option<u8>)> {
        let mut held = self.lock();
        if held.course.is_lost(number) {
            return Some((Outgoing::default(), None));
        }
        let mut progress = held.of(number).progress;
        let is_behind = !held.replay.is_passed(&progress);
        if !held.course.is_open() && !is_behind {
            return outgoing(false).map(|outgoing| (outgoing, None));
        }
        held.replay.push(outgoing(is_behind)?);
        let fits = held.course.is_open() && held.keep(&self.plan);
        let mut committed = None;
        if held.course.is_open() && !fits {
            let furthest = held.furthest(number);
            held.course.commit(furthest);
            committed = Some(furthest);
            if furthest != number {
                return Some((Outgoing::default(), committed));
            }
        }
        let next = held.replay.next(&mut progress);
        held.of(number).progress = progress;
        if !fits {
            held.let_go(&self.plan);
            held.of(number).progress.restart();
        }
        Some((next, committed))
    }

    /// An attempt's connection has framed `bytes` of the request. Returns those of them
    /// that the call's sender has not been told of.
    pub(crate) fn framed(&self, number: u8, bytes: usize) -> usize {
        let mut held = self.lock();
        let mut progress = held.of(number).progress;
        let new = held.replay.frame(&mut progress, bytes);
        held.of(number).progress = progress;
        new
    }

    // --- its end ---------------------------------------------------------------------

    /// The call has succeeded.
    pub(super) fn succeed(&self, number: u8) -> bool {
        self.plan.succeeded();
        self.finish(number)
    }

    /// The call ends with this attempt. `false` if the call has committed to another one.
    pub(super) fn finish(&self, number: u8) -> bool {
        let mut held = self.lock();
        let is_its = held.course.finish(number);
        if is_its {
            held.let_go(&self.plan);
        }
        is_its
    }

    /// An attempt was dropped without a result. `true` if that leaves the call without
    /// attempts.
    pub(super) fn vanish(&self, number: u8) -> bool {
        let mut held = self.lock();
        if number != HEDGE {
            held.of(number).is_live = false;
        }
        held.course.vanish(number)
    }

    /// An attempt has failed, on a stream to `peer` or before it had a stream.
    pub(super) fn fail(
        &self,
        number: u8,
        status: Status,
        peer: Option<String>,
        now: Instant,
    ) -> After {
        let mut held = self.lock();
        let pushback = Pushback::read(status.metadata());
        let attempted = held.of(number);
        attempted.is_live = false;
        let began = attempted.began;
        let verdict = held
            .course
            .fail(&self.plan, number, status.code(), pushback, now);
        let took = began.map(|began| now.saturating_duration_since(began));
        let failure = FailedAttempt::new(&status, peer, took);
        match verdict {
            Verdict::Final => {
                held.failures.push(failure);
                held.let_go(&self.plan);
                After::Ends(held.tell(status))
            }
            Verdict::Next(next, due) => {
                held.failures.push(failure);
                held.last = self.is_hedged().then_some(status);
                held.of(next).due = (due > now).then_some(due);
                After::Again(next)
            }
            Verdict::Others => {
                held.failures.push(failure);
                held.last = Some(status);
                After::Others
            }
        }
    }

    /// The failed attempts before the call's end, if that is not the end of an attempt.
    pub(crate) fn failures(&self) -> Vec<FailedAttempt> {
        std::mem::take(&mut self.lock().failures)
    }
}

impl AttemptsState {
    /// Adds the failed attempts to the call's final status, if there were several.
    fn tell(&mut self, status: Status) -> Status {
        let failures = std::mem::take(&mut self.failures);
        if failures.len() > 1 {
            status.with_attempts(failures)
        } else {
            status
        }
    }

    fn of(&mut self, number: u8) -> &mut Attempted {
        let Some(place) = usize::from(number).checked_sub(1) else {
            return &mut self.first;
        };
        if place >= self.others.len() {
            self.others.resize(place + 1, Attempted::default());
        }
        &mut self.others[place]
    }

    /// Counts what the replay holds against the limit; `false` if that is too much.
    fn keep(&mut self, plan: &Plan) -> bool {
        let bytes = self.replay.bytes();
        let fits = plan.fits(bytes) && plan.keep(bytes - self.kept);
        if fits {
            self.kept = bytes;
        }
        fits
    }

    fn let_go(&mut self, plan: &Plan) {
        self.replay.clear();
        if self.kept > 0 {
            plan.free(std::mem::take(&mut self.kept));
        }
    }

    /// The attempt that has sent the most; of several, `number` or the first.
    fn furthest(&mut self, number: u8) -> u8 {
        let most = self.of(number).progress.passed();
        let others = self.others.iter().zip(1..);
        let all = std::iter::once((&self.first, 0)).chain(others);
        let further = all
            .filter(|(attempted, _)| attempted.is_live && attempted.progress.passed() > most)
            .max_by_key(|(attempted, other)| (attempted.progress.passed(), u8::MAX - *other));
        further.map_or(number, |(_, number)| number)
    }
}

impl<H> Drop for Attempts<H> {
    fn drop(&mut self) {
        let held = self.held.get_mut().unwrap_or_else(PoisonError::into_inner);
        held.let_go(&self.plan);
    }
}

impl<H> fmt::Debug for Attempts<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempts")
            .field("plan", &self.plan)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
