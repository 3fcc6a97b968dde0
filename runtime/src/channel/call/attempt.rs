//! What one stream of a call needs to know. A value.

use super::response_state::ResponseState;
use super::ticket::{AttemptEnd, Ticket};
use crate::code::Code;
use crate::metadata::Metadata;

/// One attempt of a call: each begins anew.
#[derive(Debug)]
pub(crate) struct Attempt {
    /// What has come on the stream that it runs on.
    pub(crate) response: ResponseState,
    /// Nothing of a request that streams has been sent: the call could begin
    /// again elsewhere.
    pub(crate) untouched: bool,
    /// Of the policy that picked the subchannel, if it wants to know the end.
    pub(crate) ticket: Option<Ticket>,
    /// The task in whose queue the call waits hears if it ends there.
    pub(crate) is_queued: bool,
    /// Its place among the call's attempts, from 0.
    pub(crate) number: u8,
    /// A server has refused the call before it looked at it.
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
