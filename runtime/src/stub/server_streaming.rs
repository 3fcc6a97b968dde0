//! One message out, a stream back.

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
    /// A call of `method` with `request`. This is what generated code calls.
    pub fn new(channel: &Channel, method: Method, request: &impl Message) -> Self {
        Self {
            call: Call::with_request(channel, method, request),
            message: PhantomData,
        }
    }

    call_options!();

    /// Starts the call and gives its stream at once, without waiting for the
    /// server's head. Why the call failed, if it does, is told by
    /// [`Receiver::next`]. Dropping the receiver cancels the call.
    pub fn start(self) -> Receiver<R> {
        self.call.start().receiver()
    }
}
