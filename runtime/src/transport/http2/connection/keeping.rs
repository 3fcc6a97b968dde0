//! What a server's connection holds for its calls: large heads of their requests, and
//! responses that the client does not take. Nothing here waits for memory: what is there
//! counts, and who would make more is told that there is none.

use std::sync::Arc;
use std::time::Instant;

use super::{Connection, OUTPUT_HIGH_WATER};
use crate::transport::http2::account::Account;
use crate::transport::http2::call_memory::{CallMemory, Reserve, UNCOUNTED};
use crate::transport::http2::error_code::ErrorCode;
use crate::transport::http2::event::{ConnectionError, Event, StreamId};
use crate::transport::http2::fields::Fields;
use crate::transport::http2::grants::{LEAST_PROGRESS, PATIENCE};
use crate::transport::http2::output::Output;
use crate::transport::http2::stream::{Stream, StreamMap};

/// A head of this size is not counted.
const UNCOUNTED_HEAD: usize = 1 << 10;

/// What a stream does not hold any more is given back from here on, or with its last.
const EXCESS: usize = 64 << 10;

/// What streams that are gone leave in the output keeps no more than this, beside four times
/// as much as it is.
const LEFT: usize = 1 << 20;

/// What is kept for one stream.
#[derive(Debug, Default)]
pub(super) struct KeptMemory {
    /// For the request's head, for as long as the stream is there.
    head: usize,
    /// For what is queued: of each chunk all, until its last byte is written.
    queued: usize,
    /// For trailers that wait behind it.
    trailers: usize,
    /// Framed since responses were last looked at, in bytes.
    sent: usize,
    /// Something was queued then.
    is_seen: bool,
}

impl KeptMemory {
    /// Keeps so much more of what is queued. Whether the client reads it is seen from now on.
    fn queue(&mut self, bytes: usize) {
        if self.queued == 0 {
            self.sent = 0;
            self.is_seen = false;
        }
        self.queued += bytes;
    }
}

/// So much of what the stream queued is in the output. A chunk keeps all of its memory until its
/// last byte is written.
#[cold]
#[inline(never)]
pub(super) fn framed(
    kept: &mut StreamMap<KeptMemory>,
    account: Option<&mut Account>,
    id: StreamId,
    bytes: usize,
    stream: &Stream,
    output: &Output,
) {
    if let Some(kept) = kept.get_mut(&id)
        && let Some(account) = account
    {
        kept.sent += bytes;
        let excess = kept.queued.saturating_sub(stream.held());
        if excess >= EXCESS || stream.queued() == 0 {
            kept.queued -= excess;
            account.let_go_behind(output.len(), excess);
        }
    }
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

    /// A stream is gone, and with it what was kept for it. The output may still have parts
    /// of the chunk that `stream` had begun.
    #[cold]
    pub(super) fn let_go(&mut self, id: StreamId, stream: &Stream) {
        if let Some(kept) = self.kept.remove(&id)
            && let Some(account) = &mut self.account
        {
            account.let_go(kept.head + kept.trailers);
            let output = if stream.begun() > 0 {
                self.output.len()
            } else {
                0
            };
            account.let_go_behind(output, kept.queued);
            self.unpin_left();
        }
    }

    /// Copies the output where little of it keeps much.
    fn unpin_left(&mut self) {
        if let Some(account) = &mut self.account
            && account.leaving() > LEFT + 4 * self.output.len()
        {
            self.output.unpin();
            account.let_go_of_leaving();
        }
    }

    /// All streams are gone.
    pub(super) fn let_go_of_all(&mut self) {
        if let Some(account) = &mut self.account {
            for kept in std::mem::take(&mut self.kept).values() {
                account.let_go(kept.head + kept.trailers);
                account.let_go_behind(self.output.len(), kept.queued);
            }
        }
    }

    /// Whether the one message of a response finds memory for what the client does not
    /// take at once, and that memory is kept for it.
    #[inline]
    pub(crate) fn has_memory_for(&mut self, id: StreamId, length: usize) -> bool {
        length <= UNCOUNTED || self.keep_message(id, length)
    }

    fn keep_message(&mut self, id: StreamId, length: usize) -> bool {
        if self.account.is_none() {
            return true;
        }
        // Streams that are ready have the output first.
        self.pump();
        self.settle_claim();
        let Some(stream) = self.streams.get(&id) else {
            return true;
        };
        let at_once = OUTPUT_HIGH_WATER
            .saturating_sub(self.output.len())
            .min(stream.send.available())
            .min(self.send_window.available());
        let Some(account) = &mut self.account else {
            return true;
        };
        let waits = (stream.held() + length).saturating_sub(at_once);
        if waits > UNCOUNTED {
            if !account.try_keep(waits) {
                return false;
            }
            self.kept.entry(id).or_default().queue(waits);
        }
        account.claim(id);
        true
    }

    /// What was to be framed at once and is not, since other output came before it, counts.
    #[inline]
    fn settle_claim(&mut self) {
        if let Some(account) = &mut self.account
            && let Some(id) = account.take_claim()
        {
            self.settle_claim_of(id);
        }
    }

    fn settle_claim_of(&mut self, id: StreamId) {
        if let Some(account) = &mut self.account
            && let Some(stream) = self.streams.get(&id)
        {
            let kept = self.kept.get(&id).map_or(0, |kept| kept.queued);
            let waits = stream.held().saturating_sub(kept);
            if waits > UNCOUNTED {
                account.keep(waits);
                self.kept.entry(id).or_default().queue(waits);
            }
        }
    }

    /// Trailers wait behind what the client does not take.
    pub(super) fn keep_trailers(&mut self, id: StreamId, trailers: &Fields) {
        let size = trailers.size();
        if size > UNCOUNTED
            && let Some(account) = &mut self.account
        {
            account.keep(size);
            self.kept.entry(id).or_default().trailers += size;
        }
    }

    /// The call is over, and the stream holds what is left of its response.
    #[cold]
    pub(crate) fn adopt(&mut self, id: StreamId, mut reserve: Reserve) {
        if let Some(account) = &mut self.account
            && let Some(stream) = self.streams.get(&id)
        {
            let bytes = reserve.split(stream.held()).pass_on();
            if bytes > 0 {
                account.adopt(bytes);
                self.kept.entry(id).or_default().queue(bytes);
            }
        }
        self.let_go_when_written(reserve);
    }

    /// Nothing of what a call had this for is queued any more; some of it may be in the
    /// output.
    #[cold]
    pub(crate) fn let_go_when_written(&mut self, reserve: Reserve) {
        if let Some(account) = &mut self.account {
            let bytes = reserve.pass_on();
            account.adopt(bytes);
            account.let_go_behind(self.output.len(), bytes);
            self.unpin_left();
        }
    }

    /// A response of one of its calls waits for memory.
    pub(crate) fn starve(&mut self) {
        if let Some(account) = &mut self.account {
            account.starve();
        }
    }

    /// Before a rest: what is queued and header blocks that the client does not take count,
    /// and responses are watched where others have less because of them.
    #[inline]
    pub(super) fn rest_calls(&mut self, now: Instant) {
        self.settle_claim();
        let Some(account) = &mut self.account else {
            return;
        };
        let beyond = self.output.len().saturating_sub(OUTPUT_HIGH_WATER);
        if beyond > self.output_kept {
            account.keep(beyond - self.output_kept);
        } else if beyond < self.output_kept {
            account.let_go(self.output_kept - beyond);
            if beyond == 0 {
                account.forget_output();
            }
        }
        self.output_kept = beyond;
        if account.has_more_than_its_own() {
            account.look_at(now + PATIENCE);
        }
    }

    /// When [`report_unread`](Self::report_unread) has something to do.
    pub(super) fn next_look(&self) -> Option<Instant> {
        self.account.as_ref()?.look()
    }

    /// Responses that hold memory which others want, and that did not get on since the
    /// last look; the owner looks at its own. An error where that is so of the output, which
    /// belongs to no stream.
    pub(super) fn report_unread(&mut self, now: Instant) -> Result<(), ConnectionError> {
        let Some(account) = &mut self.account else {
            return Ok(());
        };
        if account.look().is_none_or(|look| now < look) {
            return Ok(());
        }
        let is_wanted = account.end_look();
        let is_stuck = account.is_output_stuck(self.output_kept > 0, LEAST_PROGRESS as usize);
        if is_wanted && is_stuck {
            let reason = "the output was read too slowly while others waited for its memory";
            return Err(ConnectionError::new(ErrorCode::ENHANCE_YOUR_CALM, reason));
        }
        // The socket may take nothing for ever, and there is little of it.
        if is_wanted && account.leaving() > 0 {
            self.output.unpin();
            account.let_go_of_leaving();
        }
        self.events.push_back(Event::Look { is_wanted });
        for (id, kept) in &mut self.kept {
            let sent = std::mem::take(&mut kept.sent);
            let was_seen = std::mem::replace(&mut kept.is_seen, kept.queued > 0);
            if is_wanted && was_seen && kept.queued > 0 && sent < LEAST_PROGRESS as usize {
                self.events.push_back(Event::Unread { stream: *id });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
