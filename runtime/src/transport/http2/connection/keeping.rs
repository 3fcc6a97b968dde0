//! What a server's connection holds for its calls: the heads of their requests, and
//! responses that the client does not take. Nothing here waits for memory: what is there
//! counts, and who would make more is told that there is none.

use std::sync::Arc;
use std::time::Instant;

use super::{Connection, OUTPUT_HIGH_WATER};
use crate::transport::http2::call_memory::{CallMemory, Reserve, UNCOUNTED};
use crate::transport::http2::event::{Event, StreamId};
use crate::transport::http2::fields::Fields;
use crate::transport::http2::grants::{LEAST_PROGRESS, PATIENCE};
use crate::transport::http2::stream::Stream;

/// What a stream does not hold any more is given back from here on, or with its last.
const EXCESS: usize = 64 << 10;

impl Connection {
    /// Where calls count what they hold; on a server's connection alone.
    pub(crate) fn call_memory(&self) -> Option<&Arc<CallMemory>> {
        self.account.as_ref().map(|account| account.calls())
    }

    // --- heads of requests ---------------------------------------------------------

    /// Whether the heads of requests that are there find memory. `false` where the last
    /// one has to be refused.
    #[inline]
    pub(crate) fn covers_heads(&mut self) -> bool {
        match self.heads.untold() {
            None => true,
            Some(bytes) => self.cover_heads(bytes),
        }
    }

    #[cold]
    fn cover_heads(&mut self, bytes: usize) -> bool {
        let Some(account) = &mut self.account else {
            return true;
        };
        let fits = account.try_keep(bytes);
        if fits {
            self.heads.tell(bytes);
        }
        fits
    }

    /// A stream is gone, and with it what it held.
    #[inline]
    pub(super) fn let_go(&mut self, stream: &Stream) {
        self.heads.remove(stream.head as usize);
        if stream.kept > 0 || self.heads.has_excess() {
            self.give_back(stream.kept);
        }
    }

    #[cold]
    fn give_back(&mut self, kept: usize) {
        if let Some(account) = &mut self.account {
            account.let_go(kept + self.heads.take_back());
        }
    }

    // --- responses -------------------------------------------------------------------

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
        let Some(stream) = self.streams.get_mut(&id) else {
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
            stream.kept += waits;
        }
        fits
    }

    /// Trailers wait behind what the client does not take.
    pub(super) fn keep_trailers(&mut self, id: StreamId, trailers: &Fields) {
        let size = trailers.size();
        if size > UNCOUNTED
            && let Some(account) = &mut self.account
            && let Some(stream) = self.streams.get_mut(&id)
        {
            account.keep(size);
            stream.kept += size;
        }
    }

    /// The call is over, and the stream holds what is left of its response.
    #[cold]
    pub(crate) fn adopt(&mut self, id: StreamId, reserve: Reserve) {
        if let Some(account) = &mut self.account
            && let Some(stream) = self.streams.get_mut(&id)
            && stream.queued() > 0
        {
            let bytes = reserve.pass_on();
            account.adopt(bytes);
            stream.kept += bytes;
        }
    }

    /// Some of what the stream queued was framed.
    #[cold]
    pub(super) fn let_go_of_framed(&mut self, id: StreamId) {
        if let Some(account) = &mut self.account
            && let Some(stream) = self.streams.get_mut(&id)
        {
            let excess = stream.kept.saturating_sub(stream.queued());
            if excess >= EXCESS || stream.queued() == 0 {
                stream.kept -= excess;
                account.let_go(excess);
            }
        }
    }

    /// Whether the stream holds memory for what its client does not take.
    pub(crate) fn keeps_response(&self, id: StreamId) -> bool {
        self.streams.get(&id).is_some_and(|stream| stream.kept > 0)
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
    /// last look.
    pub(super) fn report_unread(&mut self, now: Instant) {
        let Some(account) = &mut self.account else {
            return;
        };
        if account.look().is_none_or(|look| now < look) {
            return;
        }
        let is_wanted = account.end_look();
        for (id, stream) in &mut self.streams {
            let sent = std::mem::take(&mut stream.sent);
            let was_seen = std::mem::replace(&mut stream.seen, true);
            if is_wanted && was_seen && sent < LEAST_PROGRESS {
                self.events.push_back(Event::Unread { stream: *id });
            }
        }
    }
}
