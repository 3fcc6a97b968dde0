//! One connection's part of its server's memory. Wakers are called without holding the lock.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;
use std::time::Instant;

use super::call_memory::CallMemory;
use super::event::StreamId;
use super::memory::{Memory, TOLD};

/// Memory that output keeps.
#[derive(Debug)]
struct Leaving {
    /// The bytes of output before it is gone, from those before the one in front on.
    behind: usize,
    bytes: usize,
}

/// One connection's part of the memory, freed when dropped.
#[derive(Debug)]
pub(crate) struct Account {
    memory: Arc<Memory>,
    unread: i64,
    granted: u64,
    /// A message waits for memory.
    wants: bool,
    /// A response waits for memory.
    starves: bool,
    /// The turns in which this connection waits for memory for messages, and for responses.
    message_turn: Option<u64>,
    sender_turn: Option<u64>,
    calls: Arc<CallMemory>,
    /// What the connection itself holds for its calls.
    kept: usize,
    /// What of it goes with the output.
    leaving: VecDeque<Leaving>,
    /// The bytes of all of these.
    leaving_bytes: usize,
    /// The bytes of output before the last of these is gone.
    behind: usize,
    /// The stream of a response that is not counted, since it was to be framed at once.
    claim: Option<StreamId>,
    /// When responses that nobody reads are looked for.
    look: Option<Instant>,
    /// The refusals that there had been at the last look.
    refusals: u64,
    /// The output had some of it then.
    is_output_seen: bool,
    /// The bytes that the socket took since.
    taken: usize,
}

impl Account {
    pub(crate) fn new(memory: Arc<Memory>) -> Self {
        Self {
            calls: CallMemory::new(Arc::clone(&memory)),
            memory,
            unread: 0,
            granted: 0,
            wants: false,
            starves: false,
            message_turn: None,
            sender_turn: None,
            kept: 0,
            leaving: VecDeque::new(),
            leaving_bytes: 0,
            behind: 0,
            claim: None,
            look: None,
            refusals: 0,
            is_output_seen: false,
            taken: 0,
        }
    }

    // --- what calls hold -----------------------------------------------------------

    pub(crate) fn calls(&self) -> &Arc<CallMemory> {
        &self.calls
    }

    /// Keeps so much for calls, if there is room.
    #[must_use]
    pub(crate) fn try_keep(&mut self, bytes: usize) -> bool {
        let kept = self.calls.try_take(bytes);
        if kept {
            self.kept += bytes;
        } else {
            self.memory.refuse();
        }
        kept
    }

    /// Keeps so much, which is there already.
    pub(crate) fn keep(&mut self, bytes: usize) {
        self.calls.take(bytes);
        self.kept += bytes;
    }

    /// Keeps what a call had of the connection's memory.
    pub(crate) fn adopt(&mut self, bytes: usize) {
        self.kept += bytes;
    }

    pub(crate) fn let_go(&mut self, bytes: usize) {
        let bytes = bytes.min(self.kept);
        if bytes > 0 {
            self.kept -= bytes;
            self.calls.give_back(bytes);
        }
    }

    /// Lets so much go once these bytes of `output` are written, which may be parts of it.
    pub(crate) fn let_go_behind(&mut self, output: usize, bytes: usize) {
        if bytes == 0 || output == 0 {
            return self.let_go(bytes);
        }
        self.leaving_bytes += bytes;
        let behind = output.saturating_sub(self.behind);
        match self.leaving.back_mut() {
            Some(last) if behind == 0 => last.bytes += bytes,
            _ => self.leaving.push_back(Leaving { behind, bytes }),
        }
        self.behind = output;
    }

    /// So much of the output was written.
    #[inline]
    pub(crate) fn written(&mut self, bytes: usize) {
        self.taken += bytes;
        if !self.leaving.is_empty() {
            self.let_go_of_written(bytes);
        }
    }

    #[cold]
    fn let_go_of_written(&mut self, bytes: usize) {
        self.behind = self.behind.saturating_sub(bytes);
        let (mut left, mut gone) = (bytes, 0);
        while let Some(first) = self.leaving.front_mut() {
            if first.behind > left {
                first.behind -= left;
                break;
            }
            left -= first.behind;
            gone += first.bytes;
            self.leaving.pop_front();
        }
        self.leaving_bytes -= gone;
        self.let_go(gone);
    }

    /// What the output keeps, in bytes.
    pub(crate) fn leaving(&self) -> usize {
        self.leaving_bytes
    }

    /// The output keeps none of it any more.
    pub(crate) fn let_go_of_leaving(&mut self) {
        self.let_go_of_written(self.behind);
    }

    /// The response of this stream is to be framed at once.
    pub(crate) fn claim(&mut self, stream: StreamId) {
        self.claim = Some(stream);
    }

    /// The stream whose response was to be framed at once, told once.
    #[inline]
    pub(crate) fn take_claim(&mut self) -> Option<StreamId> {
        self.claim.take()
    }

    /// A response waits for memory, on this connection.
    pub(crate) fn starve(&mut self) {
        self.starves = true;
    }

    /// Whether others have less because of this connection's calls.
    pub(crate) fn has_more_than_its_own(&self) -> bool {
        self.calls.has_more_than_its_own()
    }

    /// When responses are looked at next.
    pub(crate) fn look(&self) -> Option<Instant> {
        self.look
    }

    /// They are looked at then, unless they are sooner.
    pub(crate) fn look_at(&mut self, then: Instant) {
        if self.look.is_none() {
            self.look = Some(then);
            self.refusals = self.memory.refusals();
            self.taken = 0;
        }
    }

    /// Whether the output had some memory at the last look too, and the socket took less than
    /// `least` bytes since.
    pub(crate) fn is_output_stuck(&mut self, has_some: bool, least: usize) -> bool {
        let was_seen = std::mem::replace(&mut self.is_output_seen, has_some);
        was_seen && has_some && self.taken < least
    }

    /// The output has no memory any more: what comes next is seen anew.
    pub(crate) fn forget_output(&mut self) {
        self.is_output_seen = false;
    }

    /// They are looked at now. Whether any call has wanted memory since it was last
    /// decided to, or waits for it.
    pub(crate) fn end_look(&mut self) -> bool {
        self.look = None;
        self.memory.offer();
        let starving = self.memory.starving.load(Ordering::SeqCst);
        self.refusals != self.memory.refusals() || starving > 0
    }

    // --- what was received -----------------------------------------------------------

    /// Whether unread bytes of this connection have been reported.
    pub(crate) fn has_told(&self) -> bool {
        self.unread > 0
    }

    /// Reports that this many bytes are unread on this connection.
    pub(crate) fn tell(&mut self, unread: i64) {
        // A wrapping sum of differences is right for both signs.
        let change = (unread - self.unread).cast_unsigned();
        self.memory.unread.fetch_add(change, Ordering::Relaxed);
        self.unread = unread;
    }

    /// As [`tell`](Self::tell), if the number changed by at least [`TOLD`].
    pub(crate) fn tell_roughly(&mut self, unread: i64) {
        if (unread - self.unread).abs() >= TOLD {
            self.tell(unread);
        }
    }

    /// Whether connections have to reduce their shares.
    pub(crate) fn is_tight(&self) -> bool {
        self.memory.unread.load(Ordering::Relaxed) > self.memory.quarter
    }

    /// Reserves memory for a message if there is enough. A message of any size gets it if no
    /// other has any.
    pub(crate) fn hold(&mut self, size: u32) -> bool {
        let size = u64::from(size);
        let half = self.memory.half;
        let held = self
            .memory
            .granted
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |granted| {
                (granted == 0 || granted + size <= half).then_some(granted + size)
            })
            .is_ok();
        if held {
            self.granted += size;
        }
        self.wants = !held;
        held
    }

    /// Whether a message or a response waits for memory.
    pub(crate) fn wants_memory(&self) -> bool {
        self.wants || self.starves
    }

    pub(crate) fn free(&mut self, size: u32) {
        let size = u64::from(size).min(self.granted);
        self.granted -= size;
        self.memory.granted.fetch_sub(size, Ordering::SeqCst);
        self.memory.messages.wake();
    }

    /// Whether slow messages have to be checked.
    pub(crate) fn is_scarce(&self) -> bool {
        self.memory.granted.load(Ordering::Relaxed) > self.memory.half / 2
    }

    /// Whether a message of any connection waits for memory.
    pub(crate) fn is_wanted(&self) -> bool {
        self.memory.messages.is_any()
    }

    /// Has `waker` woken once memory is free. Whoever asks has to try once more
    /// after this: `true` where that holds for responses.
    #[must_use]
    pub(crate) fn wait(&mut self, waker: &Waker) -> bool {
        let key = self.key();
        if std::mem::take(&mut self.wants) {
            let messages = &self.memory.messages;
            messages.wait(key, &mut self.message_turn, waker);
        }
        // The calls that waited may be over.
        self.starves &= self.calls.starves();
        if !self.starves {
            return false;
        }
        let senders = &self.memory.senders;
        let is_new = senders.wait(key, &mut self.sender_turn, waker);
        self.starves = !(self.calls.take_offer(waker) || is_new);
        !self.starves
    }

    /// By what the memory knows this connection among those that wait.
    fn key(&self) -> usize {
        Arc::as_ptr(&self.calls).addr()
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.tell(0);
        let key = self.key();
        self.memory.messages.forget(key, self.message_turn);
        self.memory.senders.forget(key, self.sender_turn);
        self.let_go(self.kept);
        if self.granted > 0 {
            self.memory
                .granted
                .fetch_sub(self.granted, Ordering::SeqCst);
            self.memory.messages.wake();
        }
    }
}

#[cfg(test)]
mod tests;
