//! What one stream of a call needs to know. A value.

use super::response::Response;
use super::ticket::{AttemptEnd, Ticket};
use crate::code::Code;
use crate::metadata::Metadata;

/// One attempt of a call: each begins anew.
#[derive(Debug)]
pub(crate) struct Attempt {
    /// What has come on the stream that it runs on.
    pub(crate) response: Response,
    /// Nothing of a request that streams has been sent: the call could begin
    /// again elsewhere.
    pub(crate) untouched: bool,
    /// Of the policy that picked the subchannel, if it wants to know the end.
    pub(crate) ticket: Option<Ticket>,
    /// The task in whose queue the call waits hears if it ends there.
    pub(crate) is_queued: bool,
    /// How many there were before it that the server never looked at.
    pub(crate) number: u8,
}

impl Attempt {
    pub(crate) fn new() -> Self {
        Self {
            response: Response::Awaited,
            untouched: true,
            ticket: None,
            is_queued: false,
            number: 0,
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
