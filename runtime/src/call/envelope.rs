//! A server call's data beside its messages, in both directions, in one allocation that the
//! thread's next call reuses. Of the earlier call only the shutdown signal of its server is
//! kept.

use std::any::Any;
use std::cell::{Cell, RefCell};
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

/// The most envelopes that a thread keeps: about as many as one connection has calls in
/// flight. Each takes some 300 bytes.
const KEPT: usize = 128;

/// Boxed, since a call's context takes a box.
type SpareEnvelopes = Vec<Box<Envelope>>;

thread_local! {
    /// For the next call that arrives on this thread: idle connections hold none.
    static SPARE: RefCell<SpareEnvelopes> = const { RefCell::new(Vec::new()) };
    /// The envelope that a panicking handler dropped while it had it on loan.
    static LOST: Cell<Option<Box<Envelope>>> = const { Cell::new(None) };
}

/// A panic's payload, and the envelope that was on loan to the handler that panicked.
pub(crate) type Lost = (Box<dyn Any + Send>, Option<Box<Envelope>>);

/// A call's data beside its messages.
#[derive(Debug, Default)]
pub(crate) struct Envelope {
    /// The request's metadata.
    pub(crate) request: Metadata,
    /// The response's initial metadata, if it is sent together with the only message.
    pub(crate) initial: Metadata,
    pub(crate) trailing: Metadata,
    pub(crate) compression: CallCompression,
    pub(crate) extensions: Extensions,
    /// The handler's load report; `None` until the handler sets something in it.
    pub(crate) load: Option<Box<LoadReport>>,
    pub(crate) parting: Parting,
    /// The call's places under the server's limits.
    pub(crate) held: Option<HeldPlaces>,
    /// The shutdown signal of the server of the last call. The next call most often has the
    /// same server, so calls share the `Arc` without changing its count.
    pub(crate) shutdown: Option<Arc<ShutdownSignal>>,
    /// It is on loan to a handler, and its owner waits to get it back even after a panic.
    pub(crate) is_lent: bool,
}

/// What becomes of the call's stream and connection when its handler is done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Parting {
    /// The handler's result is sent.
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
    /// The encoding that the request's head names.
    pub(crate) request: Compression,
    /// The request's one message came compressed.
    pub(crate) request_was_compressed: bool,
    /// The encodings that the caller accepts.
    pub(crate) accepted: Encodings,
    /// What the response's head says of compression.
    pub(crate) response: Coding,
    /// The handler has ended; its message is in its final form.
    pub(crate) is_settled: bool,
    /// The length of the response's only message before compression, in bytes with its
    /// prefix; 0 if it was not compressed.
    pub(crate) plain: usize,
}

impl CallCompression {
    /// For a request that names the encoding `request` and accepts `accepted`, at a server
    /// that accepts `takes` and prefers to answer with `wanted`. If the request is
    /// compressed, the response lists all encodings that the server accepts; gRPC's
    /// compression document requires at least the one that the request used.
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
    /// An empty envelope, from the thread's spare ones if there is one.
    pub(crate) fn take() -> Box<Self> {
        spare::with(&SPARE, Vec::pop).flatten().unwrap_or_default()
    }

    /// Sets the shutdown signal to that of `server`, or to none.
    #[inline]
    pub(crate) fn belong_to(&mut self, server: Option<&Arc<ShutdownSignal>>) {
        if self.shutdown.as_ref().map(Arc::as_ptr) != server.map(Arc::as_ptr) {
            self.shutdown = server.cloned();
        }
    }

    /// Runs `poll` and returns its result. If it panics, returns the panic's payload and
    /// the envelope that was on loan to it, if the panic dropped that.
    pub(crate) fn salvage<T>(poll: impl FnOnce() -> T) -> Result<T, Lost> {
        // Drop what an earlier panic left: it belongs to another call.
        drop(LOST.take());
        catch_unwind(AssertUnwindSafe(poll)).map_err(|payload| (payload, LOST.take()))
    }

    /// Writes the load report into the trailing metadata, if there is one.
    pub(crate) fn write_load(&mut self) {
        if let Some(load) = self.load.take() {
            load.write(&mut self.trailing);
        }
    }

    /// Keeps the envelope for a later call on this thread.
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
    /// A handler drops its context only if it ends without an answer.
    fn drop(&mut self) {
        if std::mem::take(&mut self.is_lent) && std::thread::panicking() {
            // The handler has ended, and the envelope may be salvaged later, so its places
            // are freed now.
            self.held = None;
            let lost = Box::new(std::mem::take(self));
            // On a thread that is ending nobody salvages it.
            let _ = LOST.try_with(|place| place.set(Some(lost)));
        }
    }
}

#[cfg(test)]
mod tests;
