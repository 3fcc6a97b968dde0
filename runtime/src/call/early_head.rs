//! When the head of a response goes alone, where both sides stream. Some clients send nothing
//! before they have it, while a handler that waits for their message sends nothing either, so
//! the head goes once the handler waits. Messages are not held up.
//!
//! ```text
//! Begins ─(its first turn ends, and it waits)──────▶ Held ─(HOLD)─▶ gone
//!    └────(it does not)───▶ Armed ─(waits)─▶ Asked ───┘
//! ```
//!
//! The hold lets the first message, which follows its head closely as a rule, be
//! answered with one write, and lets a call that fails at once fail in one block.

/// The part of a call's state that decides it. By default the head waits for a
/// message, or for the application's word.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct EarlyHead {
    stage: HeadStage,
    /// The handler has asked for a message. From then on the head may go at any
    /// time, so what it says cannot change.
    settled: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum HeadStage {
    #[default]
    Never,
    /// The handler has its first turn in the connection's task, which looks after
    /// it without being told.
    Begins,
    /// The handler has not waited for a message, or not on a task of its own.
    Armed,
    Asked,
    Held,
}

/// What to do for a stream of which nothing has gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// What the application has said.
    Take,
    Nothing,
    /// Look again after [`HOLD`](super::sends::HOLD).
    Hold,
    /// The head, whatever it says by now.
    Send,
}

impl EarlyHead {
    /// For a handler whose first turn is in the connection's task, or on its own.
    pub(crate) fn armed(in_place: bool) -> Self {
        let stage = if in_place {
            HeadStage::Begins
        } else {
            HeadStage::Armed
        };
        Self {
            stage,
            settled: false,
        }
    }

    pub(super) fn is_settled(self) -> bool {
        self.settled
    }

    pub(super) fn never(&mut self) {
        self.stage = HeadStage::Never;
    }

    /// The handler asks for a message.
    pub(super) fn on_ask(&mut self) {
        self.settled |= self.stage != HeadStage::Never;
    }

    /// There is none, and nothing has gone yet. `true` if the connection is to
    /// hear of it.
    pub(super) fn on_wait(&mut self) -> bool {
        let tell = self.stage == HeadStage::Armed;
        if tell {
            self.stage = HeadStage::Asked;
        }
        tell
    }

    /// The connection is about to write; nothing of the stream has gone yet.
    pub(super) fn look(&mut self, waits: bool) -> Look {
        let (stage, look) = match self.stage {
            HeadStage::Never => (HeadStage::Never, Look::Take),
            HeadStage::Begins if !waits => (HeadStage::Armed, Look::Nothing),
            HeadStage::Armed => (HeadStage::Armed, Look::Nothing),
            HeadStage::Begins | HeadStage::Asked => (HeadStage::Held, Look::Hold),
            HeadStage::Held => (HeadStage::Never, Look::Send),
        };
        self.stage = stage;
        look
    }
}

#[cfg(test)]
mod tests;
