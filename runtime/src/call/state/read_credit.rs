//! What a reader has consumed and its connection has not been told yet, and when it is due.

use crate::call::command::Progress;
use crate::transport::http2::credit::Reports;

#[derive(Debug)]
pub(super) struct ReadCredit {
    reports: Reports,
    consumed: usize,
    /// The size of the message at hand, once the reader waits for more of it.
    awaits: usize,
    /// That has been told.
    asked: bool,
    /// Memory is set aside for it.
    granted: bool,
}

impl Default for ReadCredit {
    /// Before the call has a stream there is nobody to tell.
    fn default() -> Self {
        Self {
            reports: Reports {
                step: usize::MAX,
                large: usize::MAX,
            },
            consumed: 0,
            awaits: 0,
            asked: false,
            granted: false,
        }
    }
}

impl ReadCredit {
    /// What has to be told from now on. Gives what is to be told at once, however
    /// little.
    pub(super) fn set_reports(&mut self, reports: Reports) -> Progress {
        self.reports = reports;
        self.progress()
    }

    /// The reader consumed so many bytes.
    pub(super) fn consume(&mut self, bytes: usize) {
        if bytes > 0 {
            self.consumed += bytes;
            self.awaits = 0;
            self.asked = false;
            self.granted = false;
        }
    }

    pub(super) fn grant_room(&mut self) {
        self.granted = true;
    }

    /// How large a message may be to have all of its memory from the first.
    pub(super) fn room(&self) -> usize {
        if self.granted {
            usize::MAX
        } else {
            self.reports.large
        }
    }

    /// The reader waits for more of a message of `size` bytes, if it knows that.
    pub(super) fn await_message(&mut self, size: usize) {
        self.awaits = size;
    }

    /// What is due to be told.
    pub(super) fn due(&mut self) -> Option<Progress> {
        let asks = self.awaits > self.reports.large && !self.asked;
        (asks || self.consumed >= self.reports.step).then(|| self.progress())
    }

    fn progress(&mut self) -> Progress {
        let large = self.awaits > self.reports.large;
        self.asked |= large;
        Progress {
            consumed: std::mem::take(&mut self.consumed),
            awaits: if large { self.awaits } else { 0 },
        }
    }
}
