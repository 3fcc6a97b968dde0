//! What a call's sender has sent, kept as long as another attempt may need it. A value: it
//! knows how far each attempt is, and not which attempts exist.

use bytes::Bytes;

use crate::call::state::Outgoing;

/// The messages of a streaming request.
#[derive(Debug, Default)]
pub(super) struct Replay {
    chunks: Vec<Bytes>,
    bytes: usize,
    /// The number of all messages that were ever put in.
    messages: u32,
    has_end: bool,
    /// The most bytes that any attempt has framed.
    framed: u64,
}

/// The position of one attempt in the replay.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ReplayPosition {
    /// The chunks that its connection has taken.
    chunks: usize,
    messages: u32,
    has_end: bool,
    framed: u64,
}

impl ReplayPosition {
    /// Returns to the start. A replay that was cleared has nothing left to send.
    pub(super) fn restart(&mut self) {
        self.chunks = 0;
    }

    /// How much the attempt has sent, to compare attempts.
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

    /// What the attempt has not sent yet.
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

    /// Whether the attempt has sent everything.
    pub(super) fn is_passed(&self, progress: &ReplayPosition) -> bool {
        progress.chunks == self.chunks.len() && progress.has_end == self.has_end
    }

    /// An attempt framed `bytes` bytes. Returns those of them that no other attempt has
    /// framed before.
    pub(super) fn frame(&mut self, progress: &mut ReplayPosition, bytes: usize) -> usize {
        progress.framed += bytes as u64;
        let new = progress.framed.saturating_sub(self.framed);
        self.framed += new;
        usize::try_from(new).unwrap_or(bytes)
    }

    /// Drops the data: no attempt needs it again.
    pub(super) fn clear(&mut self) {
        self.chunks = Vec::new();
        self.bytes = 0;
    }
}
