//! Reports to the ledger when the application has seen the end of its call.

use super::CallState;
use crate::metadata::Metadata;
use crate::status::Status;

impl CallState {
    /// The caller has received the end of its call, with this result.
    pub(crate) fn seen(&self, result: Result<&Metadata, &Status>) {
        if let Some(ledger) = self.ledger() {
            ledger.close(&self.seen_so_far().0, result);
        }
    }

    /// The caller drops the call, which cancels it unless it is over.
    pub(crate) fn leave(&self) {
        self.cancel();
        if let Some(ledger) = self.ledger()
            && let (head, Some(ended)) = self.seen_so_far()
        {
            ledger.close(&head, ended.as_ref());
        }
    }
}
