//! What the attempts of one call share: their course, the request they send again, and how each
//! went. Several connections' tasks may hold it; nobody is woken under its lock.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::course::{Course, HEDGE, Hedge, Pushback, Verdict};
use super::plan::Plan;
use super::replay::{Replay, ReplayPosition};
use crate::call::state::Outgoing;
use crate::status::{Code, FailedAttempt, Status};

/// The attempts of one call, and where they begin (`H`).
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
    /// Bytes of it that the channel has set aside.
    kept: usize,
    /// Those that ended, for the call's error.
    failures: Vec<FailedAttempt>,
    /// How the last of them did, where others ran beside it.
    last: Option<Status>,
}

/// One attempt, known by its number.
#[derive(Clone, Copy, Debug, Default)]
struct Attempted {
    /// When it is to begin.
    due: Option<Instant>,
    /// When it had its stream.
    began: Option<Instant>,
    /// It has a stream.
    is_live: bool,
    /// The number of the subchannel that was picked for it last.
    subchannel: Option<u64>,
    progress: ReplayPosition,
}

/// What becomes of a call after the end of an attempt.
pub(super) enum After {
    /// The call ends with this.
    Ends(Status),
    /// It is attempted again, under this number.
    Again(u8),
    /// Others have the call.
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

    /// Nothing panics under it.
    fn lock(&self) -> MutexGuard<'_, AttemptsState> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether several attempts may run beside each other.
    pub(crate) fn is_hedged(&self) -> bool {
        self.plan.hedging().is_some()
    }

    /// Where further attempts begin.
    pub(super) fn home(&self) -> &H {
        &self.home
    }

    // --- hedges ----------------------------------------------------------------------

    /// Whether a hedge waits beside the first attempt from now on.
    pub(crate) fn plan_hedge(&self, now: Instant) -> bool {
        self.lock().course.plan_hedge(&self.plan, now)
    }

    /// Whether this attempt is to begin later.
    pub(super) fn is_deferred(&self, number: u8) -> bool {
        self.lock().of(number).due.is_some()
    }

    /// When this attempt is to begin; `None` for now. It is told once.
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

    /// What becomes of an attempt whose time has come.
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

    /// The head of a response has come. `false` where another attempt is the call's.
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

    /// Whether any attempt may still be the call's.
    pub(super) fn is_open(&self) -> bool {
        self.lock().course.is_open()
    }

    /// Whether the call goes on without this attempt.
    pub(crate) fn is_lost(&self, number: u8) -> bool {
        self.lock().course.is_lost(number)
    }

    /// What this attempt has to send next: what others have sent before it, and what the
    /// call's sender gives (`outgoing`), who holds it back for a moment (`None`) only if
    /// there is nothing else. Where it becomes too much to keep, the attempt that is
    /// furthest on is the call's from now on: its number.
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

    /// An attempt's connection has framed so many bytes of the request: those of them
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

    /// The call ends with this attempt. `false` where another one has it.
    pub(super) fn finish(&self, number: u8) -> bool {
        let mut held = self.lock();
        let is_its = held.course.finish(number);
        if is_its {
            held.let_go(&self.plan);
        }
        is_its
    }

    /// An attempt is no more, by nobody's word. `true` where its call is none either.
    pub(super) fn vanish(&self, number: u8) -> bool {
        let mut held = self.lock();
        if number != HEDGE {
            held.of(number).is_live = false;
        }
        held.course.vanish(number)
    }

    /// An attempt has failed, against `peer` if it had a stream.
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

    /// The failed attempts before a call's end that no attempt of its own tells.
    pub(crate) fn failures(&self) -> Vec<FailedAttempt> {
        std::mem::take(&mut self.lock().failures)
    }
}

impl AttemptsState {
    /// The call ends with this: it tells of the attempts, if there were several.
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

    /// Sets aside what the replay holds; `false` where that is too much.
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

    /// The attempt that has sent most; of several, `number` or the first.
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
