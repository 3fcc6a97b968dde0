//! Tickets that report the end of an attempt to the policy that picked its subchannel.
//! Calls of policies that do not want this carry no ticket.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::code::Code;
use crate::metadata::Metadata;

/// The end of a call's attempt, for the policy that picked its subchannel.
#[derive(Debug)]
#[non_exhaustive]
pub struct AttemptEnd<'a> {
    /// The code of the attempt's status; `CANCELLED` if the caller cancelled it.
    pub code: Code,
    /// The server's trailing metadata, if it sent any.
    pub trailing_metadata: Option<&'a Metadata>,
}

/// Receives the ends of attempts that were picked with a [`Ticket`].
pub trait AttemptEnds: Send + Sync {
    /// The attempt with this `token` has ended. Called once for each attempt, from the
    /// connection's task, so it must not block. A panic in it is caught and ignored.
    fn ended(&self, token: u64, end: &AttemptEnd<'_>);
}

/// Reports the end of an attempt to the policy that picked for it, exactly once, however
/// the attempt ends.
pub struct Ticket(Box<UntoldTicket>);

struct UntoldTicket {
    /// `None` once the end was reported.
    ends: Option<Arc<dyn AttemptEnds>>,
    token: u64,
    /// The ticket of another policy that took part in the pick.
    beside: Option<Ticket>,
}

impl Ticket {
    /// A ticket that passes the attempt's end to `ends`, with this `token`.
    pub fn new(ends: Arc<dyn AttemptEnds>, token: u64) -> Self {
        let ends = Some(ends);
        Self(Box::new(UntoldTicket {
            ends,
            token,
            beside: None,
        }))
    }

    /// Also reports to this ticket.
    pub(in crate::channel) fn beside(mut self, other: Option<Self>) -> Self {
        self.0.beside = other;
        self
    }

    pub(crate) fn end(mut self, end: &AttemptEnd<'_>) {
        self.tell(end);
    }

    fn tell(&mut self, end: &AttemptEnd<'_>) {
        if let Some(ends) = self.0.ends.take() {
            // The panic hook has reported it, and other calls share the connection.
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
