//! Who wants to know how an attempt ended: a policy that counts. Calls of the others
//! carry nothing for it.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::code::Code;
use crate::metadata::Metadata;

/// How an attempt of a call ended, for the policy that picked its subchannel.
#[derive(Debug)]
#[non_exhaustive]
pub struct AttemptEnd<'a> {
    /// The code that it ended with; `CANCELLED` where the caller gave it up.
    pub code: Code,
    /// The server's trailing metadata, if it sent any.
    pub trailing_metadata: Option<&'a Metadata>,
}

/// Hears of the ends of the attempts that it was given a [`Ticket`] for.
pub trait AttemptEnds: Send + Sync {
    /// The attempt that was given this `token` has ended. It is called once for each,
    /// from the connection's task, and must not block. A panic in it is dropped.
    fn ended(&self, token: u64, end: &AttemptEnd<'_>);
}

/// An attempt's way back to the policy that picked for it: told once, however the
/// attempt ends.
pub struct Ticket(Box<UntoldTicket>);

struct UntoldTicket {
    /// Until it is told.
    ends: Option<Arc<dyn AttemptEnds>>,
    token: u64,
    /// Of a policy that picked for the one that has this.
    beside: Option<Ticket>,
}

impl Ticket {
    /// Has `ends` told of the attempt's end, with this `token`.
    pub fn new(ends: Arc<dyn AttemptEnds>, token: u64) -> Self {
        let ends = Some(ends);
        Self(Box::new(UntoldTicket {
            ends,
            token,
            beside: None,
        }))
    }

    /// Tells this one too.
    pub(in crate::channel) fn beside(mut self, other: Option<Self>) -> Self {
        self.0.beside = other;
        self
    }

    pub(crate) fn end(mut self, end: &AttemptEnd<'_>) {
        self.tell(end);
    }

    fn tell(&mut self, end: &AttemptEnd<'_>) {
        if let Some(ends) = self.0.ends.take() {
            // The panic hook has told of it; the connection is others' too.
            let _ = catch_unwind(AssertUnwindSafe(|| ends.ended(self.0.token, end)));
        }
        if let Some(mut other) = self.0.beside.take() {
            other.tell(end);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.tell(&AttemptEnd {
            code: Code::Cancelled,
            trailing_metadata: None,
        });
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ticket")
    }
}

#[cfg(test)]
mod tests;
