//! The course of a call's attempts: what follows the end of each one (gRFC A6). Sans-IO:
//! results and the time are arguments, verdicts are returned.

use std::time::{Duration, Instant};

use super::plan::Plan;
use crate::code::Code;
use crate::metadata::Metadata;

/// The number of a hedge that waits for its start and is not an attempt yet.
pub(crate) const HEDGE: u8 = u8::MAX;

/// The attempts and the phase of the call.
#[derive(Debug)]
pub(super) struct Course {
    phase: CoursePhase,
    /// The attempts that have started or are scheduled.
    begun: u8,
    /// Those of them that have not ended.
    live: u8,
    /// No further attempts start: a server has forbidden them, or tokens are missing.
    is_stopped: bool,
    /// Failed attempts since the backoff last started.
    backoffs: u8,
    /// When the next hedge starts.
    next_hedge: Option<Instant>,
    /// Hedges that a server has postponed: they are scheduled and not sent yet.
    put_off: Vec<u8>,
    /// Postponed hedges that will not be sent.
    withdrawn: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CoursePhase {
    /// The call may commit to any attempt.
    Open,
    /// The call has committed to this attempt.
    Committed(u8),
    Over,
}

/// What happens to a call whose attempt has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The call ends with the attempt's status.
    Final,
    /// Another attempt, of this number, starts at this time.
    Next(u8, Instant),
    /// Other attempts continue, or the call has committed to another one.
    Others,
}

/// What happens to a hedge whose start time has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hedge {
    /// It starts as the attempt of this number; `true` if another hedge follows.
    Begins(u8, bool),
    /// It starts later.
    Waits(Instant),
    Never,
}

/// The server's pushback: whether and when it allows another attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pushback {
    None,
    After(Duration),
    Stop,
}

impl Pushback {
    /// Reads the pushback from trailing metadata. A repeated value, or one that is not a
    /// signed 32-bit number, forbids attempts (gRFC A6).
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
    /// The first attempt has started.
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

    /// Schedules the first hedge of a new call; `false` if its policy has none.
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

    /// The start time of a hedge has come.
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

    /// The start time of a scheduled attempt has come. A retry paid its tokens when it was
    /// scheduled; a hedge must have them when it is sent.
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

    /// Cancels the postponed hedges.
    fn withdraw(&mut self) {
        for number in std::mem::take(&mut self.put_off) {
            self.leave(number);
            self.withdrawn.push(number);
        }
    }

    /// No further attempts start.
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

    /// The call commits to this attempt: its response's head has arrived, or it cannot be
    /// repeated. `false` if the call has committed to another one.
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

    /// The call ends with this attempt, whatever its policy says. `false` if the call has
    /// committed to another one.
    pub(super) fn finish(&mut self, number: u8) -> bool {
        self.leave(number);
        let is_its = !self.is_lost(number);
        if is_its {
            self.phase = CoursePhase::Over;
        }
        is_its
    }

    /// An attempt was dropped without a result. `true` if that leaves the call without
    /// attempts.
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
        // It takes the place of the next hedge: the delay starts again after it.
        if let (Some(next), Some(policy)) = (&mut self.next_hedge, plan.hedging())
            && let Some(postponed) = now.checked_add(wait.saturating_add(policy.delay))
        {
            *next = (*next).max(postponed);
        }
        // The call's deadline comes before a wait beyond what the clock can represent.
        now.checked_add(wait).unwrap_or(now + FAR)
    }
}

/// Longer than any call waits.
const FAR: Duration = Duration::from_secs(365 * 24 * 3_600);

#[cfg(test)]
mod tests;
