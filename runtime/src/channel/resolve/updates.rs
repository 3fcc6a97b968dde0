//! The mailbox between a resolver and its channel. Both run in the hub's task, so nothing
//! here blocks, and waking tells the hub to look.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use super::resolution::Resolution;
use crate::status::{Code, Phase, Status};

/// A resolver's end of the connection to its channel: it sends results and receives
/// requests to resolve again.
#[derive(Debug)]
pub struct Updates(Arc<Mutex<Mailbox>>);

/// The channel's end.
#[derive(Debug)]
pub(crate) struct Requests(Arc<Mutex<Mailbox>>);

#[derive(Debug, Default)]
struct Mailbox {
    found: Option<Resolution>,
    verdict: Option<Result<(), Status>>,
    word: FirstWord,
    is_requested: bool,
    is_urgent: bool,
    resolver: Option<Waker>,
    hub: Option<Waker>,
}

/// The state of the resolver's first result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum FirstWord {
    #[default]
    Awaited,
    Given,
    /// The resolver has ended without a result.
    Missing,
}

/// What a channel has told its resolver.
#[cfg(feature = "dns-txt")]
#[derive(Debug)]
pub(super) struct Said {
    pub(super) verdict: Option<Result<(), Status>>,
    pub(super) is_requested: bool,
    pub(super) is_urgent: bool,
}

pub(crate) fn updates() -> (Updates, Requests) {
    let mailbox = Arc::default();
    (Updates(Arc::clone(&mailbox)), Requests(mailbox))
}

/// No code that can panic runs while this lock is held.
fn lock(mailbox: &Mutex<Mailbox>) -> MutexGuard<'_, Mailbox> {
    mailbox.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Updates {
    /// Sends a result to the channel, and waits for the policy's verdict: an error if the
    /// result is unusable, for example a list without endpoints. The resolver should then
    /// resolve again after a while, not at once.
    ///
    /// If the future is dropped, the result is still used, and only the verdict is lost.
    pub async fn send(&mut self, resolution: Resolution) -> Result<(), Status> {
        self.put(resolution);
        poll_fn(|cx| {
            let mut mailbox = lock(&self.0);
            if let Some(verdict) = mailbox.verdict.take() {
                return Poll::Ready(verdict);
            }
            mailbox.resolver = Some(cx.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// Sends a result to the channel without waiting.
    pub(super) fn put(&mut self, resolution: Resolution) {
        let hub = {
            let mut mailbox = lock(&self.0);
            mailbox.found = Some(resolution);
            mailbox.word = FirstWord::Given;
            mailbox.verdict = None;
            // Only requests made after this result count.
            mailbox.is_urgent = false;
            mailbox.hub.take()
        };
        if let Some(hub) = hub {
            hub.wake();
        }
    }

    /// What the channel has told since the last time; `resolver` is woken when there is
    /// more.
    #[cfg(feature = "dns-txt")]
    pub(super) fn take(&mut self, resolver: &Waker) -> Said {
        let mut mailbox = lock(&self.0);
        mailbox.resolver = Some(resolver.clone());
        Said {
            verdict: mailbox.verdict.take(),
            is_requested: std::mem::take(&mut mailbox.is_requested),
            is_urgent: std::mem::take(&mut mailbox.is_urgent),
        }
    }

    /// Waits until the channel asks to resolve the target again: a connection was lost or
    /// could not be established. Requests that come in the meantime count as one. Dropping
    /// the future loses no request.
    pub async fn requested(&mut self) {
        self.wait(|mailbox| std::mem::take(&mut mailbox.is_requested))
            .await;
    }

    /// Waits until the program asks for a connection now, whatever the last result was.
    pub async fn urged(&mut self) {
        self.wait(|mailbox| std::mem::take(&mut mailbox.is_urgent))
            .await;
    }

    async fn wait(&mut self, take: impl Fn(&mut Mailbox) -> bool) {
        poll_fn(|cx| {
            let mut mailbox = lock(&self.0);
            if take(&mut mailbox) {
                return Poll::Ready(());
            }
            mailbox.resolver = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

impl Drop for Updates {
    fn drop(&mut self) {
        let hub = {
            let mut mailbox = lock(&self.0);
            if mailbox.word == FirstWord::Awaited {
                mailbox.word = FirstWord::Missing;
            }
            mailbox.hub.take()
        };
        if let Some(hub) = hub {
            hub.wake();
        }
    }
}

fn left() -> Status {
    let text = "the channel's resolver returned, or panicked, before it sent a result";
    Status::new(Code::Unavailable, text).with_phase(Phase::Resolve)
}

impl Requests {
    /// The latest result since the last time; `hub` is woken when there is a new one.
    pub(crate) fn take(&mut self, hub: &Waker) -> Option<Resolution> {
        let mut mailbox = lock(&self.0);
        mailbox.hub = Some(hub.clone());
        let found = mailbox.found.take();
        if mailbox.word == FirstWord::Missing {
            mailbox.word = FirstWord::Given;
            return Some(Resolution::failed(left()));
        }
        found
    }

    /// The policy's verdict on the result.
    pub(crate) fn answer(&mut self, verdict: Result<(), Status>) {
        self.tell(|mailbox| mailbox.verdict = Some(verdict));
    }

    pub(crate) fn request(&mut self) {
        self.tell(|mailbox| mailbox.is_requested = true);
    }

    pub(crate) fn urge(&mut self) {
        self.tell(|mailbox| mailbox.is_urgent = true);
    }

    fn tell(&mut self, change: impl FnOnce(&mut Mailbox)) {
        let resolver = {
            let mut mailbox = lock(&self.0);
            change(&mut mailbox);
            mailbox.resolver.take()
        };
        if let Some(resolver) = resolver {
            resolver.wake();
        }
    }
}
