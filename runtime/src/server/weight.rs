//! How heavy a method is: whether its handlers begin in their connection's task or on tasks of
//! their own, learnt from how long their first polls took. Time is an argument.
//!
//! ```text
//!            mean > HEAVY
//!   light ────────────────▶ heavy     begins in place │ on a task of its own
//!         ◀────────────────
//!            mean < LIGHT
//! ```
//!
//! Reading the clock twice costs a twentieth of a small call, so a light method
//! is not timed call by call. A connection's [`Watch`] looks at the clock once for
//! [`LAP`] calls and at the end of a turn; only a lap that took long makes it
//! time the calls that follow one by one.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A method above this is heavy. Beginning on a task of its own costs a call about 1 µs of
/// CPU time (ARCHITECTURE.md has the figures), so at most 2 % of the time of a heavy call;
/// and a hundred light calls that arrive together delay their connection by at most 5 ms.
/// The measured time includes decoding and encoding.
pub(super) const HEAVY: Duration = Duration::from_micros(50);
/// A heavy method below this is light again. Turns that are shorter count as
/// nothing, so that a light method's weight rests at zero and is not written.
pub(super) const LIGHT: Duration = Duration::from_micros(12);
/// A weight goes no higher, so that one very long turn is forgotten after some
/// 300 short ones.
pub(super) const HEAVIEST: Duration = Duration::from_millis(1);

/// A longer turn than before moves the mean by an eighth of the difference: the
/// first turn of a method may be eight times [`HEAVY`], since it fills caches,
/// opens files, and so on.
const RISE: u32 = 8;
/// A shorter one moves it by much less, so that a method which burns on few of
/// its inputs stays heavy between them.
const FALL: u32 = 64;

/// The estimated duration of a method's first turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Weight(u32);

impl Weight {
    const KNOWN: u32 = 1 << 31;
    const IS_HEAVY: u32 = 1 << 30;

    /// Whether a turn was measured at all.
    pub(super) fn is_known(self) -> bool {
        self.0 & Self::KNOWN != 0
    }

    pub(super) fn is_heavy(self) -> bool {
        self.0 & Self::IS_HEAVY != 0
    }

    /// The mean of the first turns, in nanoseconds.
    pub(super) fn nanos(self) -> u32 {
        self.0 & !(Self::KNOWN | Self::IS_HEAVY)
    }

    /// The weight after one more first turn, which took `turn`.
    pub(super) fn after(self, turn: Duration) -> Self {
        const MAX: u32 = HEAVIEST.as_nanos() as u32;
        let turn = match u32::try_from(turn.as_nanos()).unwrap_or(u32::MAX) {
            short if short < LIGHT.as_nanos() as u32 => 0,
            nanos => nanos,
        };
        let mean = self.nanos();
        let mean = if turn > mean {
            (mean + (turn - mean) / RISE).min(MAX)
        } else {
            // Rounded up, or the mean would never come to rest.
            mean - (mean - turn).div_ceil(FALL)
        };
        let border = if self.is_heavy() { LIGHT } else { HEAVY };
        let heavy = u128::from(mean) > border.as_nanos();
        Self(mean | Self::KNOWN | if heavy { Self::IS_HEAVY } else { 0 })
    }
}

/// A method's weight, shared by all connections: each begins with what the others have
/// measured. All read it and few write; what changes with every call is in the connection's
/// [`Watch`]. Two concurrent writers may lose one turn, which does not matter for an
/// estimate.
#[derive(Debug, Default)]
pub(super) struct SharedWeight(AtomicU32);

impl SharedWeight {
    pub(super) fn get(&self) -> Weight {
        Weight(self.0.load(Ordering::Relaxed))
    }

    /// Counts one more first turn. It writes only if the weight changes, so that the cores
    /// can share the cache line.
    pub(super) fn add(&self, turn: Duration) {
        let before = self.get();
        let after = before.after(turn);
        if after != before {
            self.0.store(after.0, Ordering::Relaxed);
        }
    }
}

/// Calls between two looks at the clock.
pub(super) const LAP: u32 = 8;
/// Calls that are timed one by one after a long lap. They cost about as much as
/// the shortest lap that is long.
pub(super) const CLOSE: u32 = 1024;

/// When a connection looks at the clock.
#[derive(Debug)]
pub(super) struct Watch {
    /// The end of the last lap.
    since: Instant,
    /// Handlers that began in place since then.
    ran: u32,
    /// Calls that are still to be timed one by one.
    close: u32,
}

impl Watch {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            since: now,
            ran: 0,
            close: 0,
        }
    }

    /// Whether the next handler is timed by itself.
    pub(super) fn is_close(&self) -> bool {
        self.close > 0
    }

    /// A handler that was timed by itself had its turn, until `now`.
    pub(super) fn timed(&mut self, now: Instant) {
        self.close = self.close.saturating_sub(1);
        self.since = now;
        self.ran = 0;
    }

    /// A handler had its turn, in a turn of the connection that began at `turn`.
    /// `true` if [`lap`](Self::lap) is due.
    #[inline]
    pub(super) fn ran(&mut self, turn: Instant) -> bool {
        if self.ran == 0 {
            self.since = self.since.max(turn);
        }
        self.ran += 1;
        self.ran == LAP
    }

    /// Whether handlers ran of whose time nothing is known.
    pub(super) fn in_lap(&self) -> bool {
        self.ran > 0
    }

    /// Ends a lap.
    pub(super) fn lap(&mut self, now: Instant) {
        if now.saturating_duration_since(self.since) > HEAVY {
            self.close = CLOSE;
        }
        self.since = now;
        self.ran = 0;
    }
}

#[cfg(test)]
mod tests;
