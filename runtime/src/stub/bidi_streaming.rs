//! A bidirectional-streaming call of a stub: a stream of messages each way.

use std::marker::PhantomData;

use prost::Message;

use super::call::{Call, call_options};
use crate::call::receiver::Receiver;
use crate::call::sender::Sender;
use crate::channel::Channel;
use crate::method::Method;

/// A bidirectional call that has not started: set its options, then
/// [`start`](Self::start) it.
#[derive(Debug)]
#[must_use = "a call starts with `start`"]
pub struct BidiStreamingCall<Q, R> {
    call: Call,
    messages: PhantomData<fn(Q) -> R>,
}

impl<Q: Message, R: Message + Default> BidiStreamingCall<Q, R> {
    /// A call of `method`. Generated code uses this.
    pub fn new(channel: &Channel, method: Method) -> Self {
        Self {
            call: Call::new(channel, method),
            messages: PhantomData,
        }
    }

    call_options!();

    /// Starts the call and returns at once, without waiting for the server. The halves are
    /// independent: each may move to its own task, and either may end first. Dropping the
    /// sender before [`Sender::finish`] or the receiver before its end cancels the call.
    pub fn start(self) -> (Sender<Q>, Receiver<R>) {
        let started = self.call.start();
        (started.sender(), started.receiver())
    }
}
