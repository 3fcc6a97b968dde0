//! How long a connection may live (gRFC A9): without calls, and at all. Time and
//! chance are arguments. It must never do anything when a call begins or ends.

use std::time::{Duration, Instant};

use super::durations::FOREVER;

/// The age is spread by this share either way, so that connections that were made
/// together do not end together.
const JITTER: f64 = 0.1;
/// What the calls' last words may take once the grace is over.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Limits to a connection's life; `None` sets none.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LifetimeOptions {
    /// How long it may be without a call.
    pub(crate) max_idle: Option<Duration>,
    /// How old it may become before it takes no more calls.
    pub(crate) max_age: Option<Duration>,
    /// How long its calls may run on after that.
    pub(crate) age_grace: Option<Duration>,
}

impl LifetimeOptions {
    /// The options of one connection: its age is up to a tenth less or more, as
    /// `chance` from 0 to 1 will have it.
    pub(crate) fn spread(mut self, chance: f64) -> Self {
        let factor = 1.0 + JITTER * (2.0 * chance.clamp(0.0, 1.0) - 1.0);
        self.max_age = self.max_age.map(|age| age.min(FOREVER).mul_f64(factor));
        self
    }
}

/// What is to be done when the timer fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passing {
    /// Nothing now.
    Not,
    /// Leave in order, for this reason.
    Leave(&'static str),
    /// The calls that still run are cut.
    Cut,
    /// Whatever is left is dropped.
    Drop,
}

/// One connection's limits, as far as it has any.
#[derive(Debug)]
pub(crate) struct Lifetime {
    idle: Option<Idle>,
    age: Age,
    grace: Option<Duration>,
}

#[derive(Debug)]
struct Idle {
    limit: Duration,
    /// Since when there has been no call, as far as was seen.
    since: Instant,
    had_calls: bool,
    /// Marks how many calls there have been.
    calls: u32,
    /// When to look again; it never moves between two looks.
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
    /// `None` where the options set no limits.
    pub(crate) fn new(options: &LifetimeOptions, now: Instant) -> Option<Self> {
        if options.max_idle.is_none() && options.max_age.is_none() {
            return None;
        }
        Some(Self {
            idle: options.max_idle.map(|limit| Idle {
                limit,
                since: now,
                had_calls: false,
                calls: 0,
                check: now + limit,
            }),
            age: options
                .max_age
                .map_or(Age::Endless, |age| Age::Young(now + age)),
            grace: options.age_grace,
        })
    }

    /// The connection comes to rest for now. `calls` changes with every call that
    /// it has had.
    pub(crate) fn rest(&mut self, has_calls: bool, calls: u32, now: Instant) {
        if let Some(idle) = &mut self.idle {
            if has_calls || idle.had_calls || idle.calls != calls {
                idle.since = now;
            }
            idle.had_calls = has_calls;
            idle.calls = calls;
        }
    }

    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        let idle = self.idle.as_ref().map(|idle| idle.check);
        let age = match self.age {
            Age::Endless => None,
            Age::Young(until) | Age::Leaving(until) | Age::Cut(until) => Some(until),
        };
        idle.into_iter().chain(age).min()
    }

    pub(crate) fn on_timeout(&mut self, has_calls: bool, now: Instant) -> Passing {
        match self.age {
            Age::Young(until) if until <= now => {
                self.idle = None;
                let grace = self.grace.map(|grace| Age::Leaving(now + grace));
                self.age = grace.unwrap_or(Age::Endless);
                return Passing::Leave("max_age");
            }
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
}

#[cfg(test)]
mod tests;
