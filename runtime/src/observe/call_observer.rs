//! Observers of one call. They can change only the metadata that carries a trace's context.

use std::time::Duration;

use super::attempt::{BegunAttempt, EndedAttempt};
use super::ended_call::EndedCall;
use crate::metadata::Metadata;

/// Follows one call: [`Observer::call_begun`](crate::Observer::call_begun) returns one for
/// each call that it wants to follow. A followed call costs one allocation, and a lock for
/// each event; other calls cost nothing more.
///
/// As with [`Observer`](crate::Observer), the methods do nothing by default, must not block,
/// and a panic in one is caught. They must not use or drop the call that they follow, nor
/// wait for a lock that is held while that is done. They are called one at a time, on the
/// thread of the event. [`ended`](Self::ended) is the last event, except for the end of a
/// handler's turn that still runs; then the observer is dropped.
///
/// | | on a server | on a channel |
/// |---|---|---|
/// | the call had to wait | | [`name_resolved`](Self::name_resolved), [`picked`](Self::picked) |
/// | an attempt | | [`attempt_begun`](Self::attempt_begun), [`attempt_metadata`](Self::attempt_metadata), [`attempt_ended`](Self::attempt_ended) |
/// | the response's initial metadata | [`head_sent`](Self::head_sent) | [`head_received`](Self::head_received) |
/// | a message | [`message_sent`](Self::message_sent), [`message_received`](Self::message_received) | the same |
/// | the handler runs | [`turn_began`](Self::turn_began), [`turn_ended`](Self::turn_ended) | |
/// | the call is over | [`ended`](Self::ended) | the same |
pub trait CallObserver: Send + 'static {
    /// The call had to wait this long until the channel's name was resolved.
    fn name_resolved(&mut self, waited: Duration) {
        let _ = waited;
    }

    /// The call had to wait this long until it got a connection.
    fn picked(&mut self, waited: Duration) {
        let _ = waited;
    }

    /// An attempt of the call begins.
    fn attempt_begun(&mut self, attempt: &BegunAttempt<'_>) {
        let _ = attempt;
    }

    /// The head of the attempt with this [number](BegunAttempt::number) is about to be sent.
    /// Entries of `metadata` are sent in addition to the call's metadata and replace entries
    /// with the same name. This is meant for the context of a trace; an observer can change
    /// nothing else of a call.
    fn attempt_metadata(&mut self, number: u32, metadata: &mut Metadata) {
        let _ = (number, metadata);
    }

    /// An attempt of the call is over.
    fn attempt_ended(&mut self, attempt: &EndedAttempt<'_>) {
        let _ = attempt;
    }

    /// A server sends its initial metadata.
    fn head_sent(&mut self, metadata: &Metadata) {
        let _ = metadata;
    }

    /// The server's initial metadata was received. A call that is answered with only a
    /// status has none.
    fn head_received(&mut self, metadata: &Metadata) {
        let _ = metadata;
    }

    /// This side has passed on a message to be sent.
    fn message_sent(&mut self, message: &ObservedMessage) {
        let _ = message;
    }

    /// The application has taken a received message.
    fn message_received(&mut self, message: &ObservedMessage) {
        let _ = message;
    }

    /// The handler runs on this thread until [`turn_ended`](Self::turn_ended): its future is
    /// created or polled. Each turn ends on the thread on which it began, even if the
    /// handler panics or the call ends during the turn.
    fn turn_began(&mut self) {}

    /// The handler waits, or has finished.
    fn turn_ended(&mut self) {}

    /// The call is over, as for [`Observer::call_ended`](crate::Observer::call_ended).
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

    /// Its number among the messages of its direction, from 0.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The size of the encoded message in bytes, before compression.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Its size on the wire in bytes, without gRPC's prefix of 5 bytes. Usually smaller than
    /// [`size`](Self::size) if the message was compressed.
    pub fn wire_size(&self) -> usize {
        self.wire_size
    }
}
