//! Observers that follow one call. They change nothing but the metadata that a trace needs.

use std::time::Duration;

use super::attempt::{BegunAttempt, EndedAttempt};
use super::ended_call::EndedCall;
use crate::metadata::Metadata;

/// Follows one call: [`Observer::call_begun`](crate::Observer::call_begun) gives one for
/// each call that it wants to follow. It costs those calls an allocation, and a lock for
/// each event; other calls pay nothing for it.
///
/// What holds for [`Observer`](crate::Observer) holds here: the methods do nothing unless
/// they are written, must not block, and a panic in one is dropped. They must not use or drop
/// the call that they follow, nor wait for a lock that is held where it is. They are called
/// one at a time, on whichever thread it happens. [`ended`](Self::ended) is the last one, but for
/// the turn of a handler that has not noticed yet, and then it is dropped.
///
/// | | on a server | on a channel |
/// |---|---|---|
/// | it had to wait | | [`name_resolved`](Self::name_resolved), [`picked`](Self::picked) |
/// | an attempt | | [`attempt_begun`](Self::attempt_begun), [`attempt_metadata`](Self::attempt_metadata), [`attempt_ended`](Self::attempt_ended) |
/// | the response's initial metadata | [`head_sent`](Self::head_sent) | [`head_received`](Self::head_received) |
/// | a message | [`message_sent`](Self::message_sent), [`message_received`](Self::message_received) | the same |
/// | the handler runs | [`turn_began`](Self::turn_began), [`turn_ended`](Self::turn_ended) | |
/// | the call is over | [`ended`](Self::ended) | the same |
pub trait CallObserver: Send + 'static {
    /// The call had to wait until the channel's name was resolved, for so long.
    fn name_resolved(&mut self, waited: Duration) {
        let _ = waited;
    }

    /// The call had to wait until there was a connection that it may have, for so long.
    fn picked(&mut self, waited: Duration) {
        let _ = waited;
    }

    /// An attempt of the call begins.
    fn attempt_begun(&mut self, attempt: &BegunAttempt<'_>) {
        let _ = attempt;
    }

    /// The head of the attempt with this [number](BegunAttempt::number) is about to go out:
    /// what is put into `metadata` goes along with the call's own, in the place of what that has
    /// by the same name. It is for the context of a trace, and all that an observer can do to
    /// a call.
    fn attempt_metadata(&mut self, number: u32, metadata: &mut Metadata) {
        let _ = (number, metadata);
    }

    /// An attempt of the call is over.
    fn attempt_ended(&mut self, attempt: &EndedAttempt<'_>) {
        let _ = attempt;
    }

    /// A server's initial metadata goes out.
    fn head_sent(&mut self, metadata: &Metadata) {
        let _ = metadata;
    }

    /// A server's initial metadata has come. A call that is answered by a status alone has
    /// none.
    fn head_received(&mut self, metadata: &Metadata) {
        let _ = metadata;
    }

    /// This side has given a message to be sent.
    fn message_sent(&mut self, message: &ObservedMessage) {
        let _ = message;
    }

    /// This side has taken a message that came.
    fn message_received(&mut self, message: &ObservedMessage) {
        let _ = message;
    }

    /// The handler runs on this thread until [`turn_ended`](Self::turn_ended): its future is
    /// polled, or made. Each turn that began ends on its thread, also where the handler
    /// panics, and where the call is over before the turn is.
    fn turn_began(&mut self) {}

    /// The handler waits, or is done.
    fn turn_ended(&mut self) {}

    /// The call is over, as [`Observer::call_ended`](crate::Observer::call_ended) tells it.
    fn ended(&mut self, call: &EndedCall<'_>) {
        let _ = call;
    }
}

/// A message of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObservedMessage {
    number: u64,
    size: usize,
    wire_size: usize,
}

impl ObservedMessage {
    pub(crate) fn new(number: u64, size: usize, wire_size: usize) -> Self {
        Self {
            number,
            size,
            wire_size,
        }
    }

    /// Its place among the messages that went its way, from 0.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The bytes of the message.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The bytes of it on the wire, without gRPC's prefix of 5: fewer where it was compressed,
    /// as a rule.
    pub fn wire_size(&self) -> usize {
        self.wire_size
    }
}
