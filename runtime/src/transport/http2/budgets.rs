//! Limits frames that cost a peer little and cause work here, for both roles. Time is an
//! argument.
//!
//! Two token buckets are refilled by time and by useful work. Taking from an empty one ends
//! the connection with `ENHANCE_YOUR_CALM`:
//!
//! | what the peer does | costs |
//! |---|---|
//! | a WINDOW_UPDATE | nothing while we have sent DATA that it may answer, else a control token |
//! | any other frame that advances no call (PING, SETTINGS, PRIORITY, GOAWAY, empty DATA, 1xx, unknown types, frames of streams that are gone) | a control token |
//! | an acknowledgement of SETTINGS of ours | nothing |
//! | DATA for a stream that we have reset, within its window | nothing |
//! | a reset of a call that we have begun to answer, or that lived for [`LIVED`] | nothing |
//! | a reset of any other call | a reset token |
//! | a call that we reset because it breaks a rule or exceeds the limit of streams | a reset token |
//! | the first [`UNTOLD`] calls too many, as long as the peer has not acknowledged our SETTINGS | nothing |
//! | a call that is answered and reset before the peer has sent a byte of its body or its end | a reset token, which the first byte earns back |
//!
//! | what earns | |
//! |---|---|
//! | a DATA frame sent | [`UPDATES_A_FRAME`] WINDOW_UPDATEs, another for each [`BYTES_AN_UPDATE`] bytes, and a control token |
//! | a DATA frame received | a control token |
//! | a reset of ours | [`LAST_WORDS`] control tokens, for frames that the peer sends before it receives the reset |
//! | a call that ends in order | a reset token, and the RST_STREAM that some peers send behind it |
//! | time | [`CONTROL_EVERY`] a control token, [`RESET_EVERY`] a reset token |
//!
//! Why well-behaved peers stay within the limits: a WINDOW_UPDATE answers DATA, so a peer
//! that updates both windows after each read of n bytes sends 2/n updates a byte. One update
//! earned for 2 bytes allows reads down to 4 bytes, less than a message's prefix, and 10 a
//! frame allow five reads of any size. A reset counts only if it comes sooner than an answer
//! could. Streams that live for [`LIVED`] are bounded by the limit of concurrent streams:
//! 256 of them are at most 12,800 a second, which is normal traffic.

use std::time::{Duration, Instant};

use super::budget::Budget;

/// The WINDOW_UPDATEs that each DATA frame sent earns the peer.
const UPDATES_A_FRAME: u64 = 10;
/// The bytes of DATA sent that earn one more.
const BYTES_AN_UPDATE: u64 = 2;
/// Resetting a call that has lived this long costs nothing.
const LIVED: Duration = Duration::from_millis(20);
/// The calls above the limit that are free as long as the peer cannot know it.
const UNTOLD: u32 = 4_096;
/// Frames that may be on their way when a stream is reset: HEADERS, RST_STREAM and two
/// WINDOW_UPDATEs.
const LAST_WORDS: u32 = 4;
const CONTROL_EVERY: Duration = Duration::from_millis(1);
const RESET_EVERY: Duration = Duration::from_millis(2);

/// The budgets that a peer has left.
#[derive(Debug)]
pub(crate) struct Budgets {
    controls: Budget,
    resets: Budget,
    /// The WINDOW_UPDATEs that DATA sent has earned. Not capped, because a peer may read a
    /// large download late.
    updates: u64,
    untold: u32,
    /// Calls that ended in order and have not been followed by a reset.
    farewells: u64,
}

/// A bucket is empty.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Spent;

impl Budgets {
    pub(crate) fn new(control_burst: u32, reset_burst: u32, now: Instant) -> Self {
        Self {
            controls: Budget::new(control_burst, CONTROL_EVERY, now),
            resets: Budget::new(reset_burst, RESET_EVERY, now),
            updates: 0,
            untold: UNTOLD,
            farewells: 0,
        }
    }

    #[inline]
    pub(crate) fn sent_data(&mut self, bytes: usize) {
        self.updates += UPDATES_A_FRAME + bytes as u64 / BYTES_AN_UPDATE;
        self.controls.earn(1);
    }

    #[inline]
    pub(crate) fn received_data(&mut self) {
        self.controls.earn(1);
    }

    /// A call ended in order. Some peers send a reset after it.
    #[inline]
    pub(crate) fn ended_in_order(&mut self) {
        self.resets.earn(1);
        self.farewells += 1;
    }

    /// The first byte of the body of a call that was answered without it has come.
    pub(crate) fn paid_late(&mut self) {
        self.resets.earn(1);
    }

    /// We have reset a stream.
    pub(crate) fn reset_sent(&mut self) {
        self.controls.earn(LAST_WORDS);
    }

    /// The peer knows our settings from now on.
    pub(crate) fn settings_acknowledged(&mut self) {
        self.untold = 0;
    }

    pub(crate) fn window_update(&mut self, now: Instant) -> Result<(), Spent> {
        if let Some(left) = self.updates.checked_sub(1) {
            self.updates = left;
            return Ok(());
        }
        self.control(now)
    }

    /// The peer sent a frame that advances no call.
    pub(crate) fn control(&mut self, now: Instant) -> Result<(), Spent> {
        self.controls.spend(now).then_some(()).ok_or(Spent)
    }

    /// The peer reset a call that began at `opened`.
    pub(crate) fn reset(
        &mut self,
        opened: Instant,
        answered: bool,
        now: Instant,
    ) -> Result<(), Spent> {
        if answered || now.saturating_duration_since(opened) >= LIVED {
            return Ok(());
        }
        self.provoked(now)
    }

    /// A reset of a stream that is gone: some peers send one after each call.
    pub(crate) fn late_reset(&mut self, now: Instant) -> Result<(), Spent> {
        if let Some(left) = self.farewells.checked_sub(1) {
            self.farewells = left;
            return Ok(());
        }
        self.control(now)
    }

    /// The peer made us reset a call.
    pub(crate) fn provoked(&mut self, now: Instant) -> Result<(), Spent> {
        self.resets.spend(now).then_some(()).ok_or(Spent)
    }

    /// A call above the limit of concurrent streams.
    pub(crate) fn refused(&mut self, now: Instant) -> Result<(), Spent> {
        if let Some(left) = self.untold.checked_sub(1) {
            self.untold = left;
            return Ok(());
        }
        self.provoked(now)
    }
}

#[cfg(test)]
mod tests;
