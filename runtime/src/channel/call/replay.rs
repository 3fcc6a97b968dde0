//! What a call's sender has sent, for as long as another attempt may need it again. A
//! value: it knows how far each attempt is, not which ones there are.

use bytes::Bytes;

use crate::call::state::Outgoing;

/// The messages of a request that streams.
#[derive(Debug, Default)]
pub(super) struct Replay {
    chunks: Vec<Bytes>,
    bytes: usize,
    /// All messages that were ever here.
    messages: u32,
    has_end: bool,
    /// What the attempt that is furthest on has framed.
    framed: u64,
}

/// How far one attempt is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ReplayPosition {
    /// Chunks that its connection has.
    chunks: usize,
    messages: u32,
    has_end: bool,
    framed: u64,
}

impl ReplayPosition {
    /// Of a replay that is cleared nothing is left to pass on.
    pub(super) fn restart(&mut self) {
        self.chunks = 0;
    }

    /// Of two attempts, the one with more is further on.
    pub(super) fn passed(&self) -> usize {
        self.chunks + usize::from(self.has_end)
    }
}

impl Replay {
    pub(super) fn push(&mut self, outgoing: Outgoing) {
        for chunk in outgoing.chunks {
            self.bytes += chunk.len();
            self.chunks.push(chunk);
        }
        self.messages += outgoing.messages;
        self.has_end |= outgoing.end;
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What an attempt has not passed on yet.
    pub(super) fn next(&self, progress: &mut ReplayPosition) -> Outgoing {
        let chunks = self.chunks.iter().skip(progress.chunks).cloned();
        let outgoing = Outgoing {
            chunks: chunks.collect(),
            messages: self.messages - progress.messages,
            end: self.has_end && !progress.has_end,
            ..Outgoing::default()
        };
        progress.chunks = self.chunks.len();
        progress.messages = self.messages;
        progress.has_end = self.has_end;
        outgoing
    }

    /// Whether an attempt has passed everything on.
    pub(super) fn is_passed(&self, progress: &ReplayPosition) -> bool {
        progress.chunks == self.chunks.len() && progress.has_end == self.has_end
    }

    /// An attempt framed so many bytes: those of them that no other did before.
    pub(super) fn frame(&mut self, progress: &mut ReplayPosition, bytes: usize) -> usize {
        progress.framed += bytes as u64;
        let new = progress.framed.saturating_sub(self.framed);
        self.framed += new;
        usize::try_from(new).unwrap_or(bytes)
    }

    /// No attempt needs it again.
    pub(super) fn clear(&mut self) {
        self.chunks = Vec::new();
        self.bytes = 0;
    }
}
