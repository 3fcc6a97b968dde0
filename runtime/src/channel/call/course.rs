//! The attempts of one call, and what follows on each one's end (gRFC A6). Sans-IO:
//! ends and the time go in, verdicts come out.

use std::time::{Duration, Instant};

use super::plan::Plan;
use crate::code::Code;
use crate::metadata::Metadata;

/// The number of what is no attempt yet: the hedge that waits for its time.
pub(crate) const HEDGE: u8 = u8::MAX;

/// Which attempts there are and how far the call is.
#[derive(Debug)]
pub(super) struct Course {
    phase: CoursePhase,
    /// Attempts that began, or have been promised.
    begun: u8,
    /// Those of them that have not ended.
    live: u8,
    /// No others begin: a server said so, or there is no token.
    is_stopped: bool,
    /// Failed attempts since the backoff began.
    backoffs: u8,
    /// When the next hedge begins.
    next_hedge: Option<Instant>,
    /// Hedges that a server has put off: they have been promised, and are not sent yet.
    put_off: Vec<u8>,
    /// Those of them that are never sent.
    withdrawn: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CoursePhase {
    /// Any attempt may become the call's.
    Open,
    /// This one is.
    Committed(u8),
    Over,
}

/// What becomes of a call whose attempt has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The call ends as the attempt did.
    Final,
    /// Another attempt, of this number, begins then.
    Next(u8, Instant),
    /// Other attempts go on, or another one is the call's.
    Others,
}

/// What becomes of a hedge whose time has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hedge {
    /// It begins as the attempt of this number; `true` where another follows.
    Begins(u8, bool),
    /// It begins later.
    Waits(Instant),
    Never,
}

/// The server's word on further attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pushback {
    None,
    After(Duration),
    Stop,
}

impl Pushback {
    /// As trailing metadata say it. Twice, or what is no signed 32-bit number, is a no
    /// (gRFC A6).
    pub(super) fn read(trailing: &Metadata) -> Self {
        let mut values = trailing.get_all("grpc-retry-pushback-ms");
        match (values.next(), values.next()) {
            (None, _) => Self::None,
            (Some(value), None) => {
                let text = value.as_str().unwrap_or_default();
                let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
                match text.parse::<i32>() {
                    Ok(milliseconds) if is_number => {
                        Self::After(Duration::from_millis(milliseconds.unsigned_abs().into()))
                    }
                    _ => Self::Stop,
                }
            }
            (Some(_), Some(_)) => Self::Stop,
        }
    }
}

impl Course {
    /// The first attempt is on its way.
    pub(super) fn new() -> Self {
        Self {
            phase: CoursePhase::Open,
            begun: 1,
            live: 1,
            is_stopped: false,
            backoffs: 0,
            next_hedge: None,
            put_off: Vec::new(),
            withdrawn: Vec::new(),
        }
    }

    /// When the hedge begins that is made with the call, if there is to be one.
    pub(super) fn plan_hedge(&mut self, plan: &Plan, now: Instant) -> bool {
        if let Some(policy) = plan.hedging()
            && self.begun < plan.max_attempts()
        {
            self.next_hedge = now.checked_add(policy.delay);
        }
        self.next_hedge.is_some()
    }

    pub(super) fn next_hedge(&self) -> Option<Instant> {
        self.next_hedge
    }

    /// The time of a hedge has come.
    pub(super) fn hedge(&mut self, plan: &Plan, now: Instant) -> Hedge {
        let may_begin = self.phase == CoursePhase::Open && !self.is_stopped;
        if !may_begin || self.begun >= plan.max_attempts() {
            return Hedge::Never;
        }
        match (self.next_hedge, plan.hedging()) {
            (Some(at), _) if at > now => Hedge::Waits(at),
            (Some(_), Some(_)) if plan.is_throttled() => {
                self.is_stopped = true;
                Hedge::Never
            }
            (Some(_), Some(policy)) => {
                let number = self.begin();
                self.next_hedge = now.checked_add(policy.delay);
                let follows = self.next_hedge.is_some() && self.begun < plan.max_attempts();
                Hedge::Begins(number, follows)
            }
            _ => Hedge::Never,
        }
    }

    /// The time has come of an attempt that was promised. A retry had its tokens then; a
    /// hedge must have them when it is sent.
    pub(super) fn on_due(&mut self, plan: &Plan, number: u8, now: Instant) -> Verdict {
        if self.is_lost(number) {
            return Verdict::Others;
        }
        if self.put_off.contains(&number) {
            self.is_stopped |= plan.is_throttled();
            if self.is_stopped {
                self.withdraw();
                return self.go_on();
            }
            self.put_off.retain(|it| *it != number);
        }
        Verdict::Next(number, now)
    }

    /// No hedge is sent any more that was put off.
    fn withdraw(&mut self) {
        for number in std::mem::take(&mut self.put_off) {
            self.leave(number);
            self.withdrawn.push(number);
        }
    }

    /// No others begin.
    fn go_on(&mut self) -> Verdict {
        if self.live > 0 {
            return Verdict::Others;
        }
        self.phase = CoursePhase::Over;
        Verdict::Final
    }

    fn leave(&mut self, number: u8) {
        if !self.withdrawn.contains(&number) {
            self.put_off.retain(|it| *it != number);
            self.live = self.live.saturating_sub(1);
        }
    }

    fn begin(&mut self) -> u8 {
        let number = self.begun;
        self.begun += 1;
        self.live += 1;
        number
    }

    /// A response's head has come, or this attempt cannot be made again: it is the
    /// call's. `false` where another one is.
    pub(super) fn commit(&mut self, number: u8) -> bool {
        match self.phase {
            CoursePhase::Open => {
                self.phase = CoursePhase::Committed(number);
                true
            }
            CoursePhase::Committed(winner) => winner == number,
            CoursePhase::Over => false,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.phase == CoursePhase::Open
    }

    pub(super) fn is_lost(&self, number: u8) -> bool {
        match self.phase {
            CoursePhase::Open => self.withdrawn.contains(&number),
            CoursePhase::Committed(winner) => winner != number,
            CoursePhase::Over => true,
        }
    }

    /// The call ends with this attempt, whatever its policy says. `false` where another
    /// one has it.
    pub(super) fn finish(&mut self, number: u8) -> bool {
        self.leave(number);
        let is_its = !self.is_lost(number);
        if is_its {
            self.phase = CoursePhase::Over;
        }
        is_its
    }

    /// An attempt is no more, by nobody's word. `true` where the call is none either.
    pub(super) fn vanish(&mut self, number: u8) -> bool {
        if number == HEDGE {
            return false;
        }
        self.leave(number);
        let was_last = match self.phase {
            CoursePhase::Open => self.live == 0,
            CoursePhase::Committed(winner) => winner == number,
            CoursePhase::Over => false,
        };
        if was_last {
            self.phase = CoursePhase::Over;
        }
        was_last
    }

    /// An attempt has failed.
    pub(super) fn fail(
        &mut self,
        plan: &Plan,
        number: u8,
        code: Code,
        pushback: Pushback,
        now: Instant,
    ) -> Verdict {
        if self.is_lost(number) {
            self.leave(number);
            return Verdict::Others;
        }
        let is_repeatable = plan.is_repeatable(code);
        if is_repeatable || pushback == Pushback::Stop {
            plan.failed();
        }
        if !is_repeatable || self.phase != CoursePhase::Open {
            self.finish(number);
            return Verdict::Final;
        }
        self.leave(number);
        self.is_stopped |= pushback == Pushback::Stop || plan.is_throttled();
        if self.is_stopped {
            self.withdraw();
        }
        if self.is_stopped || self.begun >= plan.max_attempts() {
            return self.go_on();
        }
        let number = self.begin();
        let due = self.next_attempt(plan, pushback, now);
        if due > now && plan.hedging().is_some() {
            self.put_off.push(number);
        }
        Verdict::Next(number, due)
    }

    fn next_attempt(&mut self, plan: &Plan, pushback: Pushback, now: Instant) -> Instant {
        let wait = match pushback {
            Pushback::After(wait) => {
                self.backoffs = 0;
                wait
            }
            Pushback::None | Pushback::Stop => {
                self.backoffs = self.backoffs.saturating_add(1);
                plan.backoff(self.backoffs)
            }
        };
        // It is the hedge that would have been next: the delay begins anew behind it.
        if let (Some(next), Some(policy)) = (&mut self.next_hedge, plan.hedging())
            && let Some(postponed) = now.checked_add(wait.saturating_add(policy.delay))
        {
            *next = (*next).max(postponed);
        }
        // A wait beyond what the clock can count is over with the call's deadline.
        now.checked_add(wait).unwrap_or(now + FAR)
    }
}

/// Further than any call waits.
const FAR: Duration = Duration::from_secs(365 * 24 * 3_600);

#[cfg(test)]
mod tests;
