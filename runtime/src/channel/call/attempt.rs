//! The state of one stream of a call. A value.

use super::response_state::ResponseState;
use super::ticket::{AttemptEnd, Ticket};
use crate::code::Code;
use crate::metadata::Metadata;

/// One attempt of a call; each attempt has its own.
#[derive(Debug)]
pub(crate) struct Attempt {
    /// The response so far on the attempt's stream.
    pub(crate) response: ResponseState,
    /// Nothing of a streaming request has been sent, so the call could still start again
    /// elsewhere.
    pub(crate) untouched: bool,
    /// The ticket of the policy that picked the subchannel, if it wants the result.
    pub(crate) ticket: Option<Ticket>,
    /// The call waits in a task's queue, and that task is woken if the call ends there.
    pub(crate) is_queued: bool,
    /// Its number among the call's attempts, from 0.
    pub(crate) number: u8,
    /// A server has refused the call without processing it.
    pub(crate) was_refused: bool,
}

impl Attempt {
    pub(crate) fn new(number: u8) -> Self {
        Self {
            response: ResponseState::Awaited,
            untouched: true,
            ticket: None,
            is_queued: false,
            number,
            was_refused: false,
        }
    }

    #[inline]
    pub(crate) fn end(&mut self, code: Code, trailing_metadata: Option<&Metadata>) {
        if let Some(ticket) = self.ticket.take() {
            ticket.end(&AttemptEnd {
                code,
                trailing_metadata,
            });
        }
    }
}
