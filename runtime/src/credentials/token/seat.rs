//! One audience and its token, shared by tasks: calls read it without a lock, and a change
//! wakes the calls that wait.

use std::cmp::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use arc_swap::ArcSwapOption;
use tokio::sync::Notify;

use super::renewal::{Renewal, TokenTurn};
use super::value::Token;
use crate::chance::Chance;
use crate::clock;
use crate::metadata::Metadata;
use crate::status::Status;

/// The calls that share one token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Audience<'a> {
    pub(super) service: &'a str,
    pub(super) host: &'a str,
}

pub(super) struct Seat {
    service: Box<str>,
    host: Box<str>,
    view: ArcSwapOption<View>,
    renewal: Mutex<Renewal<Arc<Metadata>>>,
    chance: Chance,
    /// Notified when the renewal has an answer for waiting calls.
    pub(super) news: Notify,
}

/// The token that calls may use without asking, and until when; `None` means forever.
struct View {
    token: Arc<Metadata>,
    until: Option<Instant>,
}

impl Seat {
    pub(super) fn new(audience: Audience<'_>) -> Self {
        Self {
            service: audience.service.into(),
            host: audience.host.into(),
            view: ArcSwapOption::empty(),
            renewal: Mutex::new(Renewal::new()),
            chance: Chance::default(),
            news: Notify::new(),
        }
    }

    pub(super) fn compare(&self, audience: Audience<'_>) -> Ordering {
        let own = Audience {
            service: &self.service,
            host: &self.host,
        };
        own.cmp(&audience)
    }

    /// Adds the token if calls may use it without asking.
    pub(super) fn add_at_hand(&self, metadata: &mut Metadata) -> bool {
        match &*self.view.load() {
            Some(view) if view.until.is_none_or(|until| clock::now() < until) => {
                metadata.extend(&view.token);
                true
            }
            _ => false,
        }
    }

    pub(super) fn ask(&self, now: Instant) -> TokenTurn<Arc<Metadata>> {
        self.change(|renewal| renewal.ask(now, self.chance.next()))
    }

    /// A fetch that began at `asked` has ended.
    pub(super) fn settle(&self, number: u64, asked: Instant, result: Result<Token, Status>) {
        let (now, chance) = (clock::now(), self.chance.next());
        self.change(|renewal| match result {
            Ok(token) => {
                let (metadata, expires) = token.into_parts(asked, now, clock::wall());
                renewal.land(number, Arc::new(metadata), expires, now, chance)
            }
            Err(status) => renewal.fail(number, status, now, chance),
        });
        self.news.notify_waiters();
    }

    /// A fetch was dropped.
    pub(super) fn lose(&self, number: u64) {
        self.change(|renewal| renewal.lose(number));
        self.news.notify_waiters();
    }

    /// A server refused a call that carried this metadata.
    pub(super) fn refuse(&self, carried: &Metadata) {
        let now = clock::now();
        self.change(|renewal| renewal.refuse(|token| carried.has_all(token), now));
    }

    pub(super) fn is_idle(&self, now: Instant) -> bool {
        self.renewal().is_idle(now)
    }

    /// The published view is updated under the lock, so that it matches the renewal.
    fn change<T>(&self, change: impl FnOnce(&mut Renewal<Arc<Metadata>>) -> T) -> T {
        let mut renewal = self.renewal();
        let changed = change(&mut renewal);
        let view = renewal.view();
        self.view
            .store(view.map(|(token, until)| Arc::new(View { token, until })));
        changed
    }

    /// Nothing panics while this lock is held.
    fn renewal(&self) -> MutexGuard<'_, Renewal<Arc<Metadata>>> {
        self.renewal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
