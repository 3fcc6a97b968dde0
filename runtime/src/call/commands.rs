//! The connection's end of its command queue, for clients and servers: takes the commands
//! of its calls in batches.

use std::task::{Context, Poll};

use super::command::Command;
use super::queue::{QueueReceiver, QueueSender, queue};

#[derive(Debug)]
pub(crate) struct Commands {
    receiver: QueueReceiver<Command>,
    sender: QueueSender<Command>,
    /// Empty between batches; its memory is reused for the next one.
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

    /// A sender for one more call.
    #[inline]
    pub(crate) fn sender(&self) -> QueueSender<Command> {
        self.sender.clone()
    }

    /// All commands that have arrived, if there are any. The caller returns the emptied list
    /// with [`recycle`](Self::recycle).
    #[inline]
    pub(crate) fn poll_take(&mut self, cx: &mut Context<'_>) -> Poll<Vec<Command>> {
        let taken = self.receiver.poll_take(&mut self.batch, cx);
        taken.map(|()| std::mem::take(&mut self.batch))
    }

    /// Takes the emptied list back to reuse its memory.
    #[inline]
    pub(crate) fn recycle(&mut self, batch: Vec<Command>) {
        self.batch = batch;
    }
}
