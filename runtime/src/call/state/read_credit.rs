//! What a reader has consumed and not yet reported to its connection, and when a report is
//! due.

use crate::call::command::Progress;
use crate::transport::http2::credit::Reports;

#[derive(Debug)]
pub(super) struct ReadCredit {
    reports: Reports,
    consumed: usize,
    /// The size of the current message, once the reader waits for the rest of it.
    awaits: usize,
    /// The connection was told of `awaits`.
    asked: bool,
    /// Memory for the message is reserved.
    granted: bool,
}

impl Default for ReadCredit {
    /// Before the call has a stream there is no connection to report to.
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
    /// Sets what is reported from now on. Returns what to report at once, however little.
    pub(super) fn set_reports(&mut self, reports: Reports) -> Progress {
        self.reports = reports;
        self.progress()
    }

    /// The reader consumed `bytes` bytes.
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

    /// The largest message whose buffer may be allocated completely at once.
    pub(super) fn room(&self) -> usize {
        if self.granted {
            usize::MAX
        } else {
            self.reports.large
        }
    }

    /// The reader waits for the rest of a message of `size` bytes.
    pub(super) fn await_message(&mut self, size: usize) {
        self.awaits = size;
    }

    /// The progress that is due to be reported.
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
