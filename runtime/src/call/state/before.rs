//! The tasks and streams that a call without its own stream depends on, or the streams of
//! attempts that compete for it. They are told when the call ends, after the call's lock is
//! released.

use std::task::Waker;

use tokio::task::AbortHandle;

use crate::call::command::{Command, Link};

#[derive(Debug, Default)]
pub(super) struct Before {
    /// The task that prepares it.
    pub(super) prepares: Option<AbortHandle>,
    /// The wakers of the tasks in whose queues the call waits.
    queues: Vec<Waker>,
    /// The streams of attempts that run in parallel, by attempt number.
    rivals: Vec<(u8, Link)>,
}

impl Before {
    /// The call waits in one more queue.
    pub(super) fn queue(&mut self, waker: Waker) {
        if !self.queues.iter().any(|queue| queue.will_wake(&waker)) {
            self.queues.push(waker);
        }
    }

    pub(super) fn vie(&mut self, number: u8, link: Link) {
        self.rivals.push((number, link));
    }

    /// An attempt gives up its stream.
    pub(super) fn give_way(&mut self, number: u8) {
        self.rivals.retain(|(rival, _)| *rival != number);
    }

    /// The call settles on one attempt: returns that attempt's stream, if it has one.
    pub(super) fn win(&mut self, number: u8) -> Option<Link> {
        let place = self.rivals.iter().position(|(rival, _)| *rival == number)?;
        Some(self.rivals.swap_remove(place).1)
    }

    /// The connections of all attempts, which are told that there is something to send.
    pub(super) fn announce(&self) -> Vec<Link> {
        self.rivals.iter().map(|(_, link)| link.clone()).collect()
    }

    pub(super) fn ended(self) {
        if let Some(task) = self.prepares {
            task.abort();
        }
        for waker in self.queues {
            waker.wake();
        }
        for (_, link) in self.rivals {
            link.send(Command::Cancel(link.stream));
        }
    }
}
