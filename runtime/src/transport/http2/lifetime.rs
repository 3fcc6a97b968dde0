//! Limits the life of a connection (gRFC A9): time without calls, number of calls, and age.
//! Time and chance are arguments. Beginning and ending a call costs nothing here.

use std::time::{Duration, Instant};

use super::durations::FOREVER;

/// The age is varied by up to this share in both directions, so that connections that were
/// opened together do not end together.
const JITTER: f64 = 0.1;
/// The time for the calls' last frames once the grace period is over.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Limits to a connection's life; `None` sets none.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LifetimeOptions {
    /// The longest time without a call.
    pub(crate) max_idle: Option<Duration>,
    /// The age from which it accepts no more calls.
    pub(crate) max_age: Option<Duration>,
    /// The number of calls after which it accepts no more.
    pub(crate) max_calls: Option<u32>,
    /// How long its calls may continue after that.
    pub(crate) age_grace: Option<Duration>,
}

impl LifetimeOptions {
    /// Whether `chance` matters to [`spread`](Self::spread).
    pub(crate) fn is_spread(&self) -> bool {
        self.max_age.is_some() || self.max_calls.is_some()
    }

    /// The options of one connection: its age and number of calls are varied by up to a
    /// tenth in both directions, by `chance` from 0 to 1.
    pub(crate) fn spread(mut self, chance: f64) -> Self {
        let factor = 1.0 + JITTER * (2.0 * chance.clamp(0.0, 1.0) - 1.0);
        self.max_age = self.max_age.map(|age| age.min(FOREVER).mul_f64(factor));
        self.max_calls = self.max_calls.map(|most| {
            // As a `Duration`, since that can be multiplied without a cast.
            let spread = Duration::from_nanos(most.into()).mul_f64(factor);
            u32::try_from(spread.as_nanos()).unwrap_or(u32::MAX).max(1)
        });
        self
    }
}

/// What to do when the timer fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passing {
    /// Nothing yet.
    Not,
    /// Begin a graceful shutdown, for this reason.
    Leave(&'static str),
    /// End the calls that still run.
    Cut,
    /// Drop what is left.
    Drop,
}

/// The limits of one connection.
#[derive(Debug)]
pub(crate) struct Lifetime {
    idle: Option<Idleness>,
    age: Age,
    /// The number of calls it accepts; `None` once it has had them.
    max_calls: Option<u32>,
    /// When that number was reached.
    spent: Option<Instant>,
    grace: Option<Duration>,
}

#[derive(Debug)]
struct Idleness {
    limit: Duration,
    /// Since when there has been no call, by the last check.
    since: Instant,
    had_calls: bool,
    /// A measure of how many calls there have been.
    calls: u32,
    /// When to check next; it does not move between two checks.
    check: Instant,
}

/// The age of a connection, with the moment at which the next one begins.
#[derive(Debug, Clone, Copy)]
enum Age {
    Endless,
    Young(Instant),
    Leaving(Instant),
    Cut(Instant),
}

impl Lifetime {
    /// `None` if the options set no limits.
    pub(crate) fn new(options: &LifetimeOptions, now: Instant) -> Option<Self> {
        if options.max_idle.is_none() && !options.is_spread() {
            return None;
        }
        Some(Self {
            idle: options.max_idle.map(|limit| Idleness {
                limit,
                since: now,
                had_calls: false,
                calls: 0,
                check: now + limit,
            }),
            age: options
                .max_age
                .map_or(Age::Endless, |age| Age::Young(now + age)),
            max_calls: options.max_calls,
            spent: None,
            grace: options.age_grace,
        })
    }

    /// The connection rests for now. `calls` is twice the number of calls it has had, and 1
    /// before the first.
    pub(crate) fn rest(&mut self, has_calls: bool, calls: u32, now: Instant) {
        if let Some(idle) = &mut self.idle {
            if has_calls || idle.had_calls || idle.calls != calls {
                idle.since = now;
            }
            idle.had_calls = has_calls;
            idle.calls = calls;
        }
        let had = calls / 2;
        if self.max_calls.take_if(|most| *most <= had).is_some() {
            self.spent = Some(now);
        }
    }

    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        let idle = self.idle.as_ref().map(|idle| idle.check);
        let age = match self.age {
            Age::Endless => None,
            Age::Young(until) | Age::Leaving(until) | Age::Cut(until) => Some(until),
        };
        idle.into_iter().chain(age).chain(self.spent).min()
    }

    pub(crate) fn on_timeout(&mut self, has_calls: bool, now: Instant) -> Passing {
        let is_young = matches!(self.age, Age::Endless | Age::Young(_));
        if self.spent.take_if(|since| *since <= now).is_some() && is_young {
            return self.leave("max_calls", now);
        }
        match self.age {
            Age::Young(until) if until <= now => return self.leave("max_age", now),
            Age::Leaving(until) if until <= now => {
                self.age = Age::Cut(now + LAST_WORDS);
                return Passing::Cut;
            }
            Age::Cut(until) if until <= now => return Passing::Drop,
            _ => {}
        }
        if let Some(idle) = &mut self.idle
            && idle.check <= now
        {
            let since = if has_calls { now } else { idle.since };
            idle.check = since + idle.limit;
            if idle.check <= now {
                self.idle = None;
                return Passing::Leave("max_idle");
            }
        }
        Passing::Not
    }

    /// Stops accepting calls and starts the grace period of those that run.
    fn leave(&mut self, reason: &'static str, now: Instant) -> Passing {
        self.idle = None;
        self.max_calls = None;
        let grace = self.grace.map(|grace| Age::Leaving(now + grace));
        self.age = grace.unwrap_or(Age::Endless);
        Passing::Leave(reason)
    }
}

#[cfg(test)]
mod tests;
