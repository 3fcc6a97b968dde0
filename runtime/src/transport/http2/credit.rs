//! The flow-control credit of a connection as a whole, and the share of each stream.
//! Arithmetic only.
//!
//! The connection's credit is renewed as bytes arrive, not as they are consumed, so that
//! unread streams do not block the others. Memory is bounded by the streams' windows, which
//! follow consumption and shrink once a connection is half full of unread bytes:
//!
//! ```text
//!        half full, all that was read counted      more streams than shares
//!  Wide ───────────────────────────────────▶ Fair ─────────────────────────▶ Least
//!    ▲         (SETTINGS, acknowledged)        │    (SETTINGS, acknowledged)  │
//!    └──────────────────────── an eighth full (SETTINGS) ────────────────────┘
//! ```
//!
//! With `capacity` C, at most C bytes are unread while streams are wide: credit ends there.
//! With fair shares, which are used while C has room for one per stream, at most C more;
//! credit ends at 2 C. With the least share credit does not end, and each stream adds at
//! most that share. So at most 2 C + streams × [`LEAST_SHARE`] bytes are unread, and a
//! stream that is read always has a window and credit for it.

use super::flow::{DEFAULT_WINDOW, Exceeded};
use super::memory::{SPARED, TOLD};

/// The bytes a stream may have unread on a connection that is half full, as long as there is
/// room for this much of each stream. It is HTTP/2's own initial window.
const FAIR_SHARE: u32 = 64 << 10;

/// The bytes a stream may always have unread.
pub(crate) const LEAST_SHARE: u32 = 8 << 10;

/// Memory is always reserved for a message above this size, since the memory allocated for a
/// message that has just begun is not counted otherwise.
const LARGE: usize = 128 << 10;

/// A reader need not report fewer consumed bytes than this.
const LEAST_STEP: usize = LEAST_SHARE as usize / 4;

/// When readers have to report to their connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reports {
    /// Report consumed bytes once they are this many.
    pub(crate) step: usize,
    /// Report waiting for a message that is larger than this.
    pub(crate) large: usize,
}

/// The credit that a connection gives its peer.
#[derive(Debug)]
pub(crate) struct Credit {
    /// A stream's share while there is room.
    wide: u32,
    /// The connection's window as long as its limit allows.
    full_window: i64,
    capacity: i64,
    /// The bytes the peer may still send on the connection.
    window: i64,
    /// Bytes received and not consumed, without those in reserved memory.
    unread: i64,
    /// The unread bytes at which the connection's credit ends.
    limit: i64,
    /// The share announced to the peer last.
    share: u32,
    /// The largest share that the peer may still assume.
    in_force: u32,
    /// SETTINGS of ours that the peer has not acknowledged.
    unacknowledged: u32,
    /// The bytes that the peer may have counted against its larger windows before they
    /// shrank and may send after its acknowledgement.
    grace: u32,
    /// Readers have been asked to report since the connection was last half as full.
    asked: bool,
    /// The unread bytes count in the server's memory, in steps of [`TOLD`].
    shared: bool,
    /// The unread bytes from which [`review`](Self::review) may return a change.
    review_at: i64,
    /// The window below which [`update`](Self::update) may return an increment.
    update_at: i64,
}

/// The change of the shares to make.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Review {
    Nothing,
    /// Readers have to report what they consumed.
    Ask,
    /// Streams have this share from now on: send it in SETTINGS.
    Tell(u32),
}

impl Credit {
    pub(crate) fn new(stream_window: u32, connection_window: u32, capacity: u32) -> Self {
        let mut new = Self {
            wide: stream_window,
            full_window: i64::from(connection_window),
            capacity: i64::from(capacity),
            window: i64::from(DEFAULT_WINDOW),
            unread: 0,
            limit: 0,
            share: stream_window,
            in_force: stream_window,
            // The first SETTINGS of the connection.
            unacknowledged: 1,
            grace: 0,
            asked: false,
            shared: false,
            review_at: 0,
            update_at: i64::from(connection_window.div_ceil(2)),
        };
        new.limit = new.limit_of(stream_window);
        new.plan_review();
        new
    }

    /// Counts the unread bytes in the server's memory from now on.
    pub(crate) fn share_memory(&mut self) {
        self.shared = true;
        self.plan_review();
    }

    pub(crate) fn unread(&self) -> i64 {
        self.unread
    }

    pub(crate) fn share(&self) -> u32 {
        self.share
    }

    pub(crate) fn wide(&self) -> u32 {
        self.wide
    }

    /// The initial window of a new stream: the largest that the peer may still assume.
    pub(crate) fn initial_window(&self) -> u32 {
        self.in_force
    }

    /// When readers have to report, with this many `streams`.
    pub(crate) fn reports(&self, streams: usize) -> Reports {
        let share = self.share as usize;
        let step = if self.share == self.wide {
            // All readers together may leave a quarter of the capacity unreported.
            let fair = usize::try_from(self.capacity).unwrap_or(0) / (4 * streams.max(1));
            (share / 4).min(fair).max(LEAST_STEP)
        } else {
            share / 4
        };
        Reports {
            step,
            large: self.large(),
        }
    }

    /// The largest message for which no memory is reserved.
    pub(crate) fn large(&self) -> usize {
        LARGE.min(self.share as usize / 2)
    }

    #[inline]
    pub(crate) fn receive(&mut self, bytes: u32) -> Result<(), Exceeded> {
        if i64::from(bytes) > self.window {
            return Err(Exceeded(bytes));
        }
        self.window -= i64::from(bytes);
        Ok(())
    }

    /// Whether a stream may exceed its window by `excess`: some peers count bytes against
    /// their windows, then acknowledge smaller windows, and only then send the bytes.
    pub(crate) fn forgive(&mut self, excess: u32) -> bool {
        match self.grace.checked_sub(excess) {
            Some(left) => {
                self.grace = left;
                true
            }
            None => false,
        }
    }

    /// Adds to the unread bytes; negative for consumed ones.
    #[inline]
    pub(crate) fn add_unread(&mut self, change: i64) {
        self.unread += change;
    }

    /// Whether neither [`review`](Self::review) nor [`update`](Self::update) can return
    /// anything.
    #[inline]
    pub(crate) fn is_settled(&self) -> bool {
        self.unread < self.review_at && self.window > self.update_at
    }

    /// The increment to announce for the connection, if it is worth a frame.
    /// `at_once` skips the wait until half is spent: the first announcement of a
    /// connection.
    pub(crate) fn update(&mut self, at_once: bool) -> Option<u32> {
        let target = self.full_window.min(self.limit - self.unread);
        let increment = target - self.window;
        let due = if at_once { 1 } else { (target / 2).max(1) };
        if increment < due {
            return None;
        }
        self.window = target;
        u32::try_from(increment).ok()
    }

    /// The change of shares for the unread bytes on this many `streams`. `tight`: the
    /// server's memory is scarce.
    pub(crate) fn review(&mut self, streams: usize, tight: bool) -> Review {
        let review = self.judge(streams, tight);
        if let Review::Tell(share) = review {
            self.unacknowledged += 1;
            self.share = share;
        }
        self.plan_review();
        review
    }

    fn judge(&mut self, streams: usize, tight: bool) -> Review {
        let full = if tight {
            SPARED.min(self.half())
        } else {
            self.half()
        };
        self.asked &= 2 * self.unread > full;
        // One change at a time, so that it is known which share an acknowledgement is for.
        if self.unacknowledged > 0 {
            return Review::Nothing;
        }
        let share = if self.share == self.wide {
            if self.unread < full {
                return Review::Nothing;
            }
            if !std::mem::replace(&mut self.asked, true) {
                return Review::Ask;
            }
            self.narrow(streams, tight)
        } else if 4 * self.unread <= full {
            self.wide
        } else {
            self.narrow(streams, tight)
        };
        if share == self.share {
            return Review::Nothing;
        }
        Review::Tell(share)
    }

    /// A reduced share is reviewed with every change.
    fn plan_review(&mut self) {
        self.review_at = if self.share != self.wide {
            i64::MIN
        } else if self.shared {
            self.half().min(self.unread + TOLD)
        } else {
            self.half()
        };
    }

    fn half(&self) -> i64 {
        self.capacity - self.capacity / 2
    }

    /// By how much the peer's windows grow at once, if they do. Windows shrink when the peer
    /// [acknowledges](Self::acknowledge) it.
    pub(crate) fn widen(&mut self) -> Option<i64> {
        (self.share > self.in_force).then(|| self.enforce())
    }

    /// The peer has applied our SETTINGS. Returns by how much its windows shrank, if they
    /// did; `Err` if there were none to apply.
    pub(crate) fn acknowledge(&mut self) -> Result<Option<i64>, ()> {
        self.unacknowledged = self.unacknowledged.checked_sub(1).ok_or(())?;
        Ok((self.share < self.in_force).then(|| self.enforce()))
    }

    fn enforce(&mut self) -> i64 {
        let change = i64::from(self.share) - i64::from(self.in_force);
        if change < 0 {
            // Those bytes count against the connection's window too.
            self.grace = u32::try_from(self.window).unwrap_or(0);
        }
        self.in_force = self.share;
        self.limit = self.limit_of(self.share);
        change
    }

    fn narrow(&self, streams: usize, tight: bool) -> u32 {
        let fair = FAIR_SHARE.min(self.wide);
        let shares = usize::try_from(self.capacity / i64::from(fair)).unwrap_or(0);
        let fits = !tight && streams <= shares;
        let share = if fits { fair } else { LEAST_SHARE };
        // A share grows back to the widest or not at all.
        share.min(self.share)
    }

    fn limit_of(&self, share: u32) -> i64 {
        if share > FAIR_SHARE {
            self.capacity
        } else if share > LEAST_SHARE {
            2 * self.capacity
        } else {
            i64::MAX / 2
        }
    }
}

#[cfg(test)]
mod tests;
