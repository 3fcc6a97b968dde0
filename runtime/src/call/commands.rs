//! A connection's end of its command queue, on either side: what its calls asked for since
//! its task looked last.

use std::task::Context;

use super::command::Command;
use super::queue::{QueueReceiver, QueueSender, queue};

#[derive(Debug)]
pub(crate) struct Commands {
    receiver: QueueReceiver<Command>,
    sender: QueueSender<Command>,
    /// Empty; its memory is that of the next batch.
    batch: Vec<Command>,
}

impl Commands {
    pub(crate) fn new() -> Self {
        let (sender, receiver) = queue();
        Self {
            receiver,
            sender,
            batch: Vec::new(),
        }
    }

    /// The way in, for one more call.
    #[inline]
    pub(crate) fn sender(&self) -> QueueSender<Command> {
        self.sender.clone()
    }

    /// All that has come, and whether that is anything; the emptied list comes back with
    /// [`recycle`](Self::recycle).
    #[inline]
    pub(crate) fn poll_take(&mut self, cx: &mut Context<'_>) -> (bool, Vec<Command>) {
        let mut batch = std::mem::take(&mut self.batch);
        let taken = self.receiver.poll_take(&mut batch, cx);
        (taken.is_ready(), batch)
    }

    /// Gives the emptied list back, for its memory.
    #[inline]
    pub(crate) fn recycle(&mut self, batch: Vec<Command>) {
        self.batch = batch;
    }
}
