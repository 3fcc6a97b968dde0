//! A server-streaming call of a stub: one request, a stream of responses.

use std::marker::PhantomData;

use prost::Message;

use super::call::{Call, call_options};
use crate::call::receiver::Receiver;
use crate::channel::Channel;
use crate::method::Method;

/// A server-streaming call that has not started: set its options, then
/// [`start`](Self::start) it.
#[derive(Debug)]
#[must_use = "a call starts with `start`"]
pub struct ServerStreamingCall<R> {
    call: Call,
    message: PhantomData<fn() -> R>,
}

impl<R: Message + Default> ServerStreamingCall<R> {
    /// A call of `method` with `request`. Generated code uses this.
    pub fn new(channel: &Channel, method: Method, request: &impl Message) -> Self {
        Self {
            call: Call::with_request(channel, method, request),
            message: PhantomData,
        }
    }

    call_options!();

    /// Starts the call and returns its stream at once, without waiting for the server. If
    /// the call fails, [`Receiver::next`] returns its status. Dropping the receiver before
    /// the end cancels the call.
    pub fn start(self) -> Receiver<R> {
        self.call.start().receiver()
    }
}
