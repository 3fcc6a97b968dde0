//! What the peer may send on a connection as a whole, and what share of it each stream has.
//! Arithmetic only.
//!
//! Credit of the connection is renewed as bytes arrive, not as they are consumed,
//! so that streams that nobody reads never stop the others. What bounds memory is
//! the streams' windows, which follow consumption; so these shrink once a
//! connection is half full of unread bytes:
//!
//! ```text
//!        half full, all that was read counted      more streams than shares
//!  Wide ───────────────────────────────────▶ Fair ─────────────────────────▶ Least
//!    ▲         (SETTINGS, acknowledged)        │    (SETTINGS, acknowledged)  │
//!    └──────────────────────── an eighth full (SETTINGS) ────────────────────┘
//! ```
//!
//! With `capacity` C, unread bytes are at most C while streams are wide: credit
//! ends there. With fair shares, of which C holds one for each stream, they are at
//! most C more; credit ends at 2 C, which only more streams than that reach. With
//! the least share there is no end, and each stream adds at most that. So at most
//! 2 C + streams × [`LEAST_SHARE`] bytes are unread, and a stream that is read
//! always has a window, and credit for it.

use super::flow::{DEFAULT_WINDOW, Exceeded};
use super::memory::{SPARED, TOLD};

/// What a stream may have unread on a connection that is half full, as long as
/// there is room for so much of each: what HTTP/2 itself begins with.
const FAIR_SHARE: u32 = 64 << 10;

/// What a stream may always have unread.
pub(crate) const LEAST_SHARE: u32 = 8 << 10;

/// A message above this has memory set aside in any case: what is reserved for one
/// that has just begun is not counted otherwise.
const LARGE: usize = 128 << 10;

/// A reader need not tell of less than this.
const LEAST_STEP: usize = LEAST_SHARE as usize / 4;

/// What readers have to tell their connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reports {
    /// Consumed bytes, once they are so many.
    pub(crate) step: usize,
    /// That they wait for a message, where it is larger than this.
    pub(crate) large: usize,
}

/// What a connection gives its peer.
#[derive(Debug)]
pub(crate) struct Credit {
    /// A stream's share while there is room.
    wide: u32,
    /// What is announced for the connection as long as its limit allows.
    full_window: i64,
    capacity: i64,
    /// What the peer may still send on the connection.
    window: i64,
    /// Received, not consumed, and no memory set aside for it.
    unread: i64,
    /// Where credit for the connection ends.
    limit: i64,
    /// The share that the peer was told last.
    share: u32,
    /// The largest share that the peer may still believe to have.
    in_force: u32,
    /// SETTINGS of ours that the peer has not acknowledged.
    unacknowledged: u32,
    /// What the peer may have taken from its windows before it cut them, and sends
    /// after it acknowledged that.
    grace: u32,
    /// Readers have been asked since the connection was last half as full.
    asked: bool,
    /// Others hear of what is unread here, by [`TOLD`].
    shared: bool,
    /// With so many bytes unread, [`review`](Self::review) may have something to say.
    review_at: i64,
    /// With so small a window, [`update`](Self::update) may.
    update_at: i64,
}

/// What is to be done about the shares.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Review {
    Nothing,
    /// Readers have to tell what they consumed.
    Ask,
    /// Streams have another share from now on: SETTINGS have to say so.
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
            // Those of the greeting.
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

    /// What is unread counts with others from now on.
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

    /// The window that a new stream has, as long as the peer may believe so.
    pub(crate) fn initial_window(&self) -> u32 {
        self.in_force
    }

    /// What readers have to tell, where there are so many `streams`.
    pub(crate) fn reports(&self, streams: usize) -> Reports {
        let share = self.share as usize;
        let step = if self.share == self.wide {
            // All readers together may keep a quarter of the capacity to themselves.
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

    /// The largest message that no memory is set aside for.
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

    /// Whether a stream may exceed its window by so much: there are peers that take
    /// what they send from their windows, then hear of smaller ones and acknowledge
    /// these, and only then send it.
    pub(crate) fn forgive(&mut self, excess: u32) -> bool {
        match self.grace.checked_sub(excess) {
            Some(left) => {
                self.grace = left;
                true
            }
            None => false,
        }
    }

    /// So many bytes more are unread, or fewer.
    #[inline]
    pub(crate) fn add_unread(&mut self, change: i64) {
        self.unread += change;
    }

    /// Whether neither [`review`](Self::review) nor [`update`](Self::update) has
    /// anything to say.
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

    /// What the unread bytes on so many `streams` ask for, and that memory is
    /// `tight` for all connections.
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
        // One change at a time: which share an acknowledgement is for is then known.
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

    /// A share that was cut is looked at again and again.
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

    /// Where the peer's windows grow at once: by how much. Those that shrink do so
    /// when the peer [acknowledges](Self::acknowledge) it.
    pub(crate) fn widen(&mut self) -> Option<i64> {
        (self.share > self.in_force).then(|| self.enforce())
    }

    /// The peer has applied our SETTINGS. By how much its windows shrank, if they
    /// did. `Err` where there were none to apply.
    pub(crate) fn acknowledge(&mut self) -> Result<Option<i64>, ()> {
        self.unacknowledged = self.unacknowledged.checked_sub(1).ok_or(())?;
        Ok((self.share < self.in_force).then(|| self.enforce()))
    }

    fn enforce(&mut self) -> i64 {
        let change = i64::from(self.share) - i64::from(self.in_force);
        if change < 0 {
            // It was taken from the connection's window too.
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
        // Upwards all the way or not at all.
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
