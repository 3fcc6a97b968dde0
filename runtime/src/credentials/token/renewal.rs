//! The tokens of one audience, one after the other: when the next is fetched, which calls go on
//! with the current one, and which wait or fail. Sans-IO: time is an argument. At most one
//! fetch is under way.

use std::time::{Duration, Instant};

use crate::status::{Code, Status};

/// A fetch that takes longer than this is given up.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// The next token is fetched between one and two margins before this one expires: a
/// tenth of its life, this at most. The spread keeps many clients that began together
/// from coming together.
const LONGEST_MARGIN: Duration = Duration::from_secs(5 * 60);
/// A token is no longer handed out in the last part of the margin, one over this, so that it
/// is still valid when it arrives.
const ON_THE_WAY: u32 = 20;
/// The waits after failures: gRPC's backoff for connections.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(120);
const FACTOR: f64 = 1.6;
const JITTER: f64 = 0.2;
/// After a refusal dropped a token, further refusals are ignored for this long.
const REFUSAL_WAIT: Duration = Duration::from_secs(60);

/// The answer to a call that asks for a token.
#[derive(Debug)]
pub(super) enum TokenAnswer<T> {
    Token(T),
    /// There is no token yet: ask again on a notification, or at this moment.
    Wait(Instant),
    Failed(Status),
}

/// An answer, and the number of the fetch that the caller has to begin, if any.
#[derive(Debug)]
pub(super) struct TokenTurn<T> {
    pub(super) answer: TokenAnswer<T>,
    pub(super) fetch: Option<u64>,
}

#[derive(Debug)]
pub(super) struct Renewal<T> {
    held: Option<HeldToken<T>>,
    flight: Option<Flight>,
    flights: u64,
    failure: Option<FetchFailure>,
    /// Until then refusals are ignored.
    deaf_until: Option<Instant>,
}

/// For times `None` means never.
#[derive(Debug)]
struct HeldToken<T> {
    token: T,
    renew_at: Option<Instant>,
    usable_until: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Flight {
    number: u64,
    until: Instant,
}

/// The last failure, the number of failures in a row, and until when nothing is fetched.
#[derive(Debug)]
struct FetchFailure {
    status: Status,
    row: u32,
    until: Instant,
}

/// Whether the moment has come.
fn is_past(at: Option<Instant>, now: Instant) -> bool {
    at.is_some_and(|at| at <= now)
}

impl<T: Clone> Renewal<T> {
    pub(super) fn new() -> Self {
        Self {
            held: None,
            flight: None,
            flights: 0,
            failure: None,
            deaf_until: None,
        }
    }

    /// A call wants a token. `chance` is from 0 to 1, as everywhere here.
    pub(super) fn ask(&mut self, now: Instant, chance: f64) -> TokenTurn<T> {
        if let Some(flight) = self.flight
            && flight.until <= now
        {
            self.fail(flight.number, overdue(), now, chance);
        }
        self.held.take_if(|held| is_past(held.usable_until, now));
        let is_due = |held: &HeldToken<T>| is_past(held.renew_at, now);
        let may_fetch = |failure: &FetchFailure| failure.until <= now;
        let begins = self.flight.is_none()
            && self.held.as_ref().is_none_or(is_due)
            && self.failure.as_ref().is_none_or(may_fetch);
        let fetch = begins.then(|| {
            self.flights += 1;
            self.flights
        });
        if let Some(number) = fetch {
            // At the end of the clock's range there is no time to wait.
            let until = now.checked_add(PATIENCE).unwrap_or(now);
            self.flight = Some(Flight { number, until });
        }
        let answer = match (&self.held, &self.flight, &self.failure) {
            (Some(held), ..) => TokenAnswer::Token(held.token.clone()),
            (None, None, Some(failure)) => TokenAnswer::Failed(failure.status.clone()),
            (None, Some(flight), _) => TokenAnswer::Wait(flight.until),
            // Unreachable: without a failure or a token a fetch was begun above.
            (None, None, None) => TokenAnswer::Wait(now),
        };
        TokenTurn { answer, fetch }
    }

    /// A fetch returned a token. `false` if that fetch was given up before.
    pub(super) fn land(
        &mut self,
        number: u64,
        token: T,
        expires: Option<Instant>,
        now: Instant,
        chance: f64,
    ) -> bool {
        if !self.is_under_way(number) {
            return false;
        }
        let life = expires.map(|at| at.saturating_duration_since(now));
        if life.is_some_and(|life| life.is_zero()) {
            return self.fail(number, stillborn(), now, chance);
        }
        let margin = life.map(|life| (life / 10).min(LONGEST_MARGIN));
        let before = |part: Duration| expires.and_then(|at| at.checked_sub(part));
        self.held = Some(HeldToken {
            token,
            renew_at: margin.and_then(|margin| before(margin.mul_f64(1.0 + chance))),
            usable_until: margin.and_then(|margin| before(margin / ON_THE_WAY)),
        });
        self.flight = None;
        self.failure = None;
        true
    }

    /// A fetch failed. `false` if that fetch was given up before.
    pub(super) fn fail(&mut self, number: u64, status: Status, now: Instant, chance: f64) -> bool {
        if !self.is_under_way(number) {
            return false;
        }
        let row = self.failure.as_ref().map_or(0, |failure| failure.row);
        let until = now.checked_add(wait(row, chance)).unwrap_or(now);
        self.failure = Some(FetchFailure {
            status,
            row: row.saturating_add(1),
            until,
        });
        self.flight = None;
        true
    }

    /// A fetch was dropped without a result because its runtime ended. The next call begins
    /// another.
    pub(super) fn lose(&mut self, number: u64) {
        if self.is_under_way(number) {
            self.flight = None;
        }
    }

    /// A server refused a token. If `is_it` says that it is the current one, it is dropped,
    /// unless another was dropped within [`REFUSAL_WAIT`].
    pub(super) fn refuse(&mut self, is_it: impl Fn(&T) -> bool, now: Instant) {
        let is_deaf = self.deaf_until.is_some_and(|until| now < until);
        if is_deaf || !self.held.as_ref().is_some_and(|held| is_it(&held.token)) {
            return;
        }
        self.held = None;
        self.deaf_until = now.checked_add(REFUSAL_WAIT);
    }

    /// The current token, and until when calls may use it without asking; `None` means
    /// forever.
    pub(super) fn view(&self) -> Option<(T, Option<Instant>)> {
        let held = self.held.as_ref()?;
        let next = match (&self.flight, &self.failure) {
            (Some(flight), _) => Some(flight.until),
            (None, Some(failure)) => Some(failure.until),
            (None, None) => held.renew_at,
        };
        let until = match (next, held.usable_until) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        Some((held.token.clone(), until))
    }

    /// Whether dropping this loses nothing.
    pub(super) fn is_idle(&self, now: Instant) -> bool {
        let is_over = |held: &HeldToken<T>| is_past(held.usable_until, now);
        let may_fetch = |failure: &FetchFailure| failure.until <= now;
        self.flight.is_none()
            && self.held.as_ref().is_none_or(is_over)
            && self.failure.as_ref().is_none_or(may_fetch)
    }

    fn is_under_way(&self, number: u64) -> bool {
        self.flight.is_some_and(|flight| flight.number == number)
    }
}

/// The wait after one more failure, with `row` failures before it.
fn wait(row: u32, chance: f64) -> Duration {
    let exponent = i32::try_from(row.min(32)).unwrap_or(32);
    let wait = FIRST_WAIT.as_secs_f64() * FACTOR.powi(exponent);
    let spread = 1.0 + JITTER * (2.0 * chance - 1.0);
    Duration::from_secs_f64(wait.min(LONGEST_WAIT.as_secs_f64()) * spread)
}

/// The status of a fetch that took too long.
pub(super) fn overdue() -> Status {
    let text = format!("the token source returned no token within {PATIENCE:?}");
    Status::new(Code::Unavailable, text)
}

fn stillborn() -> Status {
    let text = "the token source returned a token that has expired already; is this machine's \
                clock right?";
    Status::new(Code::Unavailable, text)
}

#[cfg(test)]
mod tests;
