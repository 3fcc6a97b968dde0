//! Who has a call that has no stream of its own yet, or several that vie for it, and
//! hears if it ends there. They must be told outside the call's lock.

use std::task::Waker;

use tokio::task::AbortHandle;

use crate::call::command::{Command, Link};

#[derive(Debug, Default)]
pub(super) struct Before {
    /// A task that makes it ready.
    pub(super) prepares: Option<AbortHandle>,
    /// The tasks in whose queues it waits.
    queues: Vec<Waker>,
    /// The streams of attempts that run beside each other, by their numbers.
    rivals: Vec<(u8, Link)>,
}

impl Before {
    /// It waits in one queue more.
    pub(super) fn queue(&mut self, waker: Waker) {
        if !self.queues.iter().any(|queue| queue.will_wake(&waker)) {
            self.queues.push(waker);
        }
    }

    pub(super) fn vie(&mut self, number: u8, link: Link) {
        self.rivals.push((number, link));
    }

    /// An attempt gives its stream up.
    pub(super) fn give_way(&mut self, number: u8) {
        self.rivals.retain(|(rival, _)| *rival != number);
    }

    /// One attempt has the call: its stream, where it has one.
    pub(super) fn win(&mut self, number: u8) -> Option<Link> {
        let place = self.rivals.iter().position(|(rival, _)| *rival == number)?;
        Some(self.rivals.swap_remove(place).1)
    }

    /// There is something new to send.
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
