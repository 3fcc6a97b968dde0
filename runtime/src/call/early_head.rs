//! When the head of a response is sent alone, in calls where both sides stream. Some
//! clients send nothing before they have received the head, while the handler waits for
//! their message. So the head is sent once the handler waits. Messages are not delayed.
//! ```text
//! Begins ─(its first turn ends, and it waits)──────▶ Held ─(HOLD)─▶ gone
//!    └────(it does not)───▶ Armed ─(waits)─▶ Asked ───┘
//! ```
//!
//! Holding the head for `HOLD` lets a first message that follows soon go out in the same
//! write, and lets a call that fails at once fail with a single header block.

/// The part of a call's state that decides when the head is sent. By default the head waits
/// for a message, or until the application sends it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct EarlyHead {
    stage: HeadStage,
    /// The handler has asked for a message. From then on the head may be sent at any time,
    /// so its content cannot change.
    settled: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum HeadStage {
    #[default]
    Never,
    /// The handler has its first turn in the connection's task, which checks the state
    /// after that turn by itself.
    Begins,
    /// The handler has not waited for a message yet; it tells the connection when it does.
    Armed,
    Asked,
    Held,
}

/// What to do with a stream of which nothing has been sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// Take what the application has queued.
    Take,
    Nothing,
    /// Look again after [`HOLD`](super::sends::HOLD).
    Hold,
    /// Send the head with its present content.
    Send,
}

impl EarlyHead {
    /// The state for a handler whose first turn is in the connection's task (`in_place`) or
    /// in its own.
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

    /// No message is there, and nothing has been sent yet. `true` if the connection must be
    /// told.
    pub(super) fn on_wait(&mut self) -> bool {
        let tell = self.stage == HeadStage::Armed;
        if tell {
            self.stage = HeadStage::Asked;
        }
        tell
    }

    /// The connection is about to write; nothing of the stream has been sent yet.
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
