//! What a server's connection holds for its calls: large heads of their requests, and
//! responses that the client does not take. Nothing here waits for memory: what is there
//! counts, and who would make more is told that there is none.

use std::sync::Arc;
use std::time::Instant;

use super::{Connection, OUTPUT_HIGH_WATER};
use crate::transport::http2::call_memory::{CallMemory, Reserve, UNCOUNTED};
use crate::transport::http2::event::{Event, StreamId};
use crate::transport::http2::fields::Fields;
use crate::transport::http2::grants::{LEAST_PROGRESS, PATIENCE};

/// A head of this size is not counted.
const UNCOUNTED_HEAD: usize = 1 << 10;

/// What a stream does not hold any more is given back from here on, or with its last.
const EXCESS: usize = 64 << 10;

/// What is kept for one stream.
#[derive(Debug, Default)]
pub(super) struct KeptMemory {
    /// For the request's head, for as long as the stream is there.
    head: usize,
    /// For what is queued.
    queued: usize,
    /// Framed since responses were last looked at, in bytes.
    sent: usize,
    /// It was there then.
    is_seen: bool,
}

impl Connection {
    /// Where calls count what they hold; on a server's connection alone.
    pub(crate) fn call_memory(&self) -> Option<&Arc<CallMemory>> {
        self.account.as_ref().map(|account| account.calls())
    }

    /// Whether the head of a request finds memory, which is kept as long as its stream is
    /// there.
    #[inline]
    pub(crate) fn has_memory_for_head(&mut self, id: StreamId, head: &Fields) -> bool {
        let size = head.size();
        size <= UNCOUNTED_HEAD || self.keep_head(id, size)
    }

    #[cold]
    fn keep_head(&mut self, id: StreamId, size: usize) -> bool {
        let Some(account) = &mut self.account else {
            return true;
        };
        let fits = account.try_keep(size);
        if fits {
            self.kept.entry(id).or_default().head += size;
        }
        fits
    }

    /// A stream is gone, and with it what was kept for it.
    #[cold]
    pub(super) fn let_go(&mut self, id: StreamId) {
        if let Some(kept) = self.kept.remove(&id)
            && let Some(account) = &mut self.account
        {
            account.let_go(kept.head + kept.queued);
        }
    }

    /// Whether the one message of a response finds memory for what the client does not
    /// take at once, and that memory is kept for it.
    #[inline]
    pub(crate) fn has_memory_for(&mut self, id: StreamId, length: usize) -> bool {
        length <= UNCOUNTED || self.keep_message(id, length)
    }

    fn keep_message(&mut self, id: StreamId, length: usize) -> bool {
        let Some(account) = &mut self.account else {
            return true;
        };
        let Some(stream) = self.streams.get(&id) else {
            return true;
        };
        let at_once = OUTPUT_HIGH_WATER
            .saturating_sub(self.output.len())
            .min(stream.send.available())
            .min(self.send_window.available());
        let waits = (stream.queued() + length).saturating_sub(at_once);
        if waits <= UNCOUNTED {
            return true;
        }
        let fits = account.try_keep(waits);
        if fits {
            self.kept.entry(id).or_default().queued += waits;
        }
        fits
    }

    /// Trailers wait behind what the client does not take.
    pub(super) fn keep_trailers(&mut self, id: StreamId, trailers: &Fields) {
        let size = trailers.size();
        if size > UNCOUNTED
            && let Some(account) = &mut self.account
        {
            account.keep(size);
            self.kept.entry(id).or_default().queued += size;
        }
    }

    /// The call is over, and the stream holds what is left of its response.
    #[cold]
    pub(crate) fn adopt(&mut self, id: StreamId, reserve: Reserve) {
        if let Some(account) = &mut self.account
            && let Some(stream) = self.streams.get(&id)
            && stream.queued() > 0
        {
            let bytes = reserve.pass_on();
            account.adopt(bytes);
            self.kept.entry(id).or_default().queued += bytes;
        }
    }

    /// So much of what the stream queued was framed.
    #[cold]
    pub(super) fn let_go_of_framed(&mut self, id: StreamId, bytes: usize) {
        if let Some(kept) = self.kept.get_mut(&id)
            && let Some(account) = &mut self.account
            && let Some(stream) = self.streams.get(&id)
        {
            kept.sent += bytes;
            let excess = kept.queued.saturating_sub(stream.queued());
            if excess >= EXCESS || stream.queued() == 0 {
                kept.queued -= excess;
                account.let_go(excess);
            }
        }
    }

    /// A response of one of its calls waits for memory.
    pub(crate) fn starve(&mut self) {
        if let Some(account) = &mut self.account {
            account.starve();
        }
    }

    /// Before a rest: header blocks that the client does not take are beyond what bounds
    /// DATA, and responses that hold scarce memory are watched.
    #[inline]
    pub(super) fn rest_calls(&mut self, now: Instant) {
        let Some(account) = &mut self.account else {
            return;
        };
        let beyond = self.output.len().saturating_sub(OUTPUT_HIGH_WATER);
        if beyond != self.output_kept {
            account.keep(beyond);
            account.let_go(self.output_kept);
            self.output_kept = beyond;
        }
        if account.is_scarce_for_calls() {
            account.look_at(now + PATIENCE);
        }
    }

    /// When [`report_unread`](Self::report_unread) has something to do.
    pub(super) fn next_look(&self) -> Option<Instant> {
        self.account.as_ref()?.look()
    }

    /// Responses that hold memory which others want, and that did not get on since the
    /// last look; the owner looks at its own.
    pub(super) fn report_unread(&mut self, now: Instant) {
        let Some(account) = &mut self.account else {
            return;
        };
        if account.look().is_none_or(|look| now < look) {
            return;
        }
        let is_wanted = account.end_look();
        self.events.push_back(Event::Look { is_wanted });
        for (id, kept) in &mut self.kept {
            let sent = std::mem::take(&mut kept.sent);
            let was_seen = std::mem::replace(&mut kept.is_seen, true);
            if is_wanted && was_seen && kept.queued > 0 && sent < LEAST_PROGRESS as usize {
                self.events.push_back(Event::Unread { stream: *id });
            }
        }
    }
}
