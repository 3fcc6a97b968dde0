//! The prices of work that a peer causes at next to no cost, for both roles. Time is an
//! argument.
//!
//! Two buckets of tokens are filled by time and by use, and an empty one ends the
//! connection with `ENHANCE_YOUR_CALM`:
//!
//! | what the peer does | costs |
//! |---|---|
//! | a WINDOW_UPDATE | nothing while we have sent DATA that it may answer, else a control token |
//! | any other frame that moves no call (PING, SETTINGS, PRIORITY, GOAWAY, empty DATA, 1xx, unknown types, frames of streams that are gone) | a control token |
//! | an acknowledgement of SETTINGS of ours | nothing |
//! | DATA for a stream that we have reset, within its window | nothing |
//! | a reset of a call that we have begun to answer, or that lived for [`LIVED`] | nothing |
//! | a reset of any other call | a reset token |
//! | a call that we have to reset as it breaks a rule, or is one too many | a reset token |
//! | the first [`UNTOLD`] calls too many, as long as the peer has not acknowledged our SETTINGS | nothing |
//! | a call that ends with its answer though the peer has sent no byte of its body and ends nothing | a reset token, which the first byte earns back |
//!
//! | what earns | |
//! |---|---|
//! | a DATA frame sent | [`UPDATES_A_FRAME`] WINDOW_UPDATEs, another for each [`BYTES_AN_UPDATE`] bytes, and a control token |
//! | a DATA frame received | a control token |
//! | a reset of ours | [`LAST_WORDS`] control tokens, for what the peer says before it hears of it |
//! | a call that ends in order | a reset token, and the RST_STREAM that some peers send behind it |
//! | time | [`CONTROL_EVERY`] a control token, [`RESET_EVERY`] a reset token |
//!
//! Why no honest peer falls below: a WINDOW_UPDATE gives back what was sent, so a
//! peer that updates both windows with each read of n bytes needs 2/n updates a
//! byte, which one for 2 bytes pays down to reads of 4 bytes, less than the prefix of
//! a message, and 10 a frame pay five reads of any size. An update has 13 bytes
//! itself. A reset counts only where it comes sooner than an
//! answer could; streams that live for [`LIVED`] are bounded by the limit of
//! concurrent streams, so 256 of them are 12,800 a second at most, which is traffic
//! like any other.

use std::time::{Duration, Instant};

use super::budget::Budget;

/// WINDOW_UPDATEs that a DATA frame pays for, whatever its size.
const UPDATES_A_FRAME: u64 = 10;
/// Bytes of DATA that pay for one more.
const BYTES_AN_UPDATE: u64 = 2;
/// A call that lived so long was no mere means to have us work.
const LIVED: Duration = Duration::from_millis(20);
/// Calls above a limit that the peer cannot know yet.
const UNTOLD: u32 = 4_096;
/// HEADERS, RST_STREAM and two WINDOW_UPDATEs.
const LAST_WORDS: u32 = 4;
const CONTROL_EVERY: Duration = Duration::from_millis(1);
const RESET_EVERY: Duration = Duration::from_millis(2);

/// What a peer has left.
#[derive(Debug)]
pub(crate) struct Budgets {
    controls: Budget,
    resets: Budget,
    /// WINDOW_UPDATEs that answer what was sent. Never cut: who downloads much may
    /// read it late.
    updates: u64,
    untold: u32,
    /// Calls that ended in order and no reset has followed.
    farewells: u64,
}

/// The peer has nothing left for what it did.
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

    /// A call ended in order. A reset may follow it all the same.
    #[inline]
    pub(crate) fn ended_in_order(&mut self) {
        self.resets.earn(1);
        self.farewells += 1;
    }

    /// The peer sends the body of a call that was answered without it.
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

    /// A frame that moves no call.
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

    /// A reset of a stream that is gone: some peers send one behind each end.
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
