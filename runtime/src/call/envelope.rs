//! What goes with one call on a server beside its messages, in both directions: one allocation
//! that the thread's next call reuses. Only the signal of their server stays from one call to
//! the next.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::extensions::Extensions;
use super::held_places::HeldPlaces;
use super::load_report::LoadReport;
use super::response_head::Coding;
use super::shutdown::ShutdownSignal;
use crate::framing::{Compression, Encodings};
use crate::metadata::Metadata;
use crate::spare;

/// Envelopes that a thread keeps: about the calls that one connection has in
/// flight. They take some 300 bytes each.
const KEPT: usize = 128;

/// Boxed as a call's context takes them.
type SpareEnvelopes = Vec<Box<Envelope>>;

thread_local! {
    /// For whichever call arrives next on this thread: an idle connection keeps
    /// none.
    static SPARE: Cell<SpareEnvelopes> = const { Cell::new(Vec::new()) };
    /// What a panic took away from a handler that had it on loan.
    static LOST: Cell<Option<Box<Envelope>>> = const { Cell::new(None) };
}

/// A panic, and what was on loan to whom it ended.
pub(crate) type Lost = (Box<dyn Any + Send>, Option<Box<Envelope>>);

/// What goes with a call beside its messages.
#[derive(Debug, Default)]
pub(crate) struct Envelope {
    /// What the caller sent.
    pub(crate) request: Metadata,
    /// The response's initial metadata, where it goes out with the one message.
    pub(crate) initial: Metadata,
    pub(crate) trailing: Metadata,
    pub(crate) compression: CallCompression,
    pub(crate) extensions: Extensions,
    /// What the handler reports of the server's load, once it has begun to.
    pub(crate) load: Option<Box<LoadReport>>,
    pub(crate) parting: Parting,
    /// Places with the server's limits.
    pub(crate) held: Option<HeldPlaces>,
    /// That of the server of its last call, which is most often the next one's too: so
    /// calls share it without counting its holders.
    pub(crate) shutdown: Option<Arc<ShutdownSignal>>,
    /// Somebody waits for it to come back from the handler, even if that panics.
    pub(crate) is_lent: bool,
}

/// What becomes of the call's stream and connection when its handler is done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Parting {
    /// The handler's word is sent, and that is all.
    #[default]
    Answers,
    /// The stream is reset with this code in place of an answer.
    Resets(u32),
    /// The answer is sent, and the connection takes no more calls.
    Drains,
    /// The connection ends without an answer.
    Cuts,
}

/// How the messages of one call are compressed.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct CallCompression {
    /// What the request's head says.
    pub(crate) request: Compression,
    /// The request's one message came compressed.
    pub(crate) request_was_compressed: bool,
    /// What the caller takes.
    pub(crate) accepted: Encodings,
    /// What the response's head says.
    pub(crate) response: Coding,
    /// The handler has ended, and its message is as it is.
    pub(crate) is_settled: bool,
    /// The length of the response's one message before it was compressed, prefix included;
    /// 0 where it was not.
    pub(crate) plain: usize,
}

impl CallCompression {
    /// For a request that names the encoding `request` and accepts `accepted`, at a
    /// server that takes `takes` and would answer with `wanted`. A caller that
    /// compresses is told all that is taken: gRPC's compression document asks for
    /// the one it used.
    pub(crate) fn agree(
        request: Compression,
        accepted: Encodings,
        takes: Encodings,
        wanted: Compression,
    ) -> Self {
        Self {
            request,
            request_was_compressed: false,
            accepted,
            response: Coding {
                encoding: accepted.allow(wanted),
                accepts: if request.is_identity() {
                    Encodings::default()
                } else {
                    takes
                },
            },
            is_settled: false,
            plain: 0,
        }
    }
}

impl Envelope {
    /// An empty one, used before if there is one.
    pub(crate) fn take() -> Box<Self> {
        spare::with(&SPARE, Vec::pop).flatten().unwrap_or_default()
    }

    /// It is of a call to the server of this signal, or to none.
    #[inline]
    pub(crate) fn belong_to(&mut self, server: Option<&Arc<ShutdownSignal>>) {
        if self.shutdown.as_ref().map(Arc::as_ptr) != server.map(Arc::as_ptr) {
            self.shutdown = server.cloned();
        }
    }

    /// Runs `poll` and gives what it gave, unless it panicked: then the panic, and what was
    /// on loan to it, if that was dropped meanwhile.
    pub(crate) fn salvage<T>(poll: impl FnOnce() -> T) -> Result<T, Lost> {
        // Of an earlier panic, whose call is not this one.
        drop(LOST.take());
        catch_unwind(AssertUnwindSafe(poll)).map_err(|payload| (payload, LOST.take()))
    }

    /// Has the trailing metadata carry the report, if there is one.
    pub(crate) fn write_load(&mut self) {
        if let Some(load) = self.load.take() {
            load.write(&mut self.trailing);
        }
    }

    /// Keeps it for a call to come.
    pub(crate) fn keep(mut self: Box<Self>) {
        self.request.clear();
        self.initial.clear();
        self.trailing.clear();
        self.compression = CallCompression::default();
        self.extensions = Extensions::default();
        self.load = None;
        self.parting = Parting::Answers;
        self.held = None;
        self.is_lent = false;
        spare::with(&SPARE, |spare| {
            if spare.len() < KEPT {
                spare.push(self);
            }
        });
    }
}

impl Drop for Envelope {
    /// A handler drops its context only where it ends without an answer.
    fn drop(&mut self) {
        if std::mem::take(&mut self.is_lent) && std::thread::panicking() {
            // The handler is gone, and who salvages the rest may come late.
            self.held = None;
            let lost = Box::new(std::mem::take(self));
            // On a thread that ends nobody waits for it.
            let _ = LOST.try_with(|place| place.set(Some(lost)));
        }
    }
}

#[cfg(test)]
mod tests;
