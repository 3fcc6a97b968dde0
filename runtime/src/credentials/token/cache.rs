//! The tokens of one source, and the tasks that fetch them. A fetch is a separate task: it
//! goes on when the call that began it ends, and calls that have a token do not wait for it.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Instant;

use arc_swap::ArcSwap;
use tokio::runtime::Handle;

use super::renewal::{PATIENCE, TokenAnswer, overdue};
use super::seat::{Audience, Seat};
use super::source::{ErasedTokenSource, Fetch, TokenSource};
use super::value::Token;
use crate::clock;
use crate::credentials::request::Callee;
use crate::metadata::Metadata;
use crate::status::{Code, Status};

/// A call fails after this many fetches in a row without a usable token.
const ROUNDS: usize = 3;

pub(crate) struct Tokens {
    source: Arc<dyn ErasedTokenSource>,
    is_for_all: bool,
    /// In the order of their audiences.
    seats: ArcSwap<Vec<Arc<Seat>>>,
    /// Held while a seat is added.
    adding: Mutex<()>,
}

impl Tokens {
    pub(crate) fn new(source: impl TokenSource) -> Self {
        Self {
            is_for_all: source.is_for_all(),
            source: Arc::new(source),
            seats: ArcSwap::default(),
            adding: Mutex::new(()),
        }
    }

    fn audience<'a>(&self, callee: Callee<'a>) -> Audience<'a> {
        if self.is_for_all {
            return Audience {
                service: "",
                host: "",
            };
        }
        Audience {
            service: callee.method.service(),
            host: callee.host,
        }
    }

    /// Adds the token if there is one and it need not be renewed; otherwise adds nothing and
    /// returns `false`.
    pub(crate) fn add_at_hand(&self, callee: Callee<'_>, metadata: &mut Metadata) -> bool {
        let audience = self.audience(callee);
        let seats = self.seats.load();
        match seats.binary_search_by(|seat| seat.compare(audience)) {
            Ok(at) => seats[at].add_at_hand(metadata),
            Err(_) => false,
        }
    }

    /// Adds the token, and waits for a fetch if there is none.
    pub(crate) async fn add(
        &self,
        callee: Callee<'_>,
        metadata: &mut Metadata,
    ) -> Result<(), Status> {
        let seat = self.seat(self.audience(callee));
        for _ in 0..ROUNDS {
            // Registers before asking, so that no notification is lost.
            let mut news = pin!(seat.news.notified());
            news.as_mut().enable();
            let now = clock::now();
            let turn = seat.ask(now);
            if let Some(number) = turn.fetch {
                let fetch = Arc::clone(&self.source).fetch(callee.request());
                begin(Arc::clone(&seat), number, fetch, now);
            }
            match turn.answer {
                TokenAnswer::Token(token) => {
                    metadata.extend(&token);
                    return Ok(());
                }
                TokenAnswer::Failed(status) => return Err(status),
                TokenAnswer::Wait(until) => {
                    // The loop asks again after a notification or the timeout.
                    let _ = tokio::time::timeout_at(clock::timer(until), news).await;
                }
            }
        }
        let text = "the tokens expire, or their fetches are dropped, before they can be used";
        Err(Status::new(Code::Unavailable, text))
    }

    /// A server refused a call that carried this metadata.
    pub(crate) fn refuse(&self, carried: &Metadata) {
        for seat in self.seats.load().iter() {
            seat.refuse(carried);
        }
    }

    fn seat(&self, audience: Audience<'_>) -> Arc<Seat> {
        let find = |seats: &[Arc<Seat>]| {
            let at = seats.binary_search_by(|seat| seat.compare(audience));
            at.map(|at| Arc::clone(&seats[at]))
        };
        if let Ok(seat) = find(&self.seats.load()) {
            return seat;
        }
        let _adding = self.adding.lock().unwrap_or_else(PoisonError::into_inner);
        let mut seats = Vec::clone(&self.seats.load());
        if let Ok(seat) = find(&seats) {
            return seat;
        }
        // Removes idle seats, so that a program that calls ever new hosts does not grow.
        let now = clock::now();
        seats.retain(|seat| !seat.is_idle(now));
        let seat = Arc::new(Seat::new(audience));
        let at = seats.partition_point(|other| other.compare(audience).is_lt());
        seats.insert(at, Arc::clone(&seat));
        self.seats.store(Arc::new(seats));
        seat
    }
}

/// Spawns a task that fetches the token, on the runtime of the call that asked.
fn begin(seat: Arc<Seat>, number: u64, fetch: Fetch, asked: Instant) {
    let landing = Landing { seat, number };
    let Ok(runtime) = Handle::try_current() else {
        let text = "a token is fetched on a tokio runtime, and there is none";
        landing.settle(asked, Err(Status::new(Code::Internal, text)));
        return;
    };
    runtime.spawn(async move {
        let until = asked.checked_add(PATIENCE).unwrap_or(asked);
        let fetched = tokio::time::timeout_at(clock::timer(until), unharmed(fetch)).await;
        landing.settle(asked, fetched.unwrap_or_else(|_| Err(overdue())));
    });
}

/// Turns a panic of the source into an error.
async fn unharmed(mut fetch: Fetch) -> Result<Token, Status> {
    poll_fn(|cx| {
        let polled = catch_unwind(AssertUnwindSafe(|| fetch.as_mut().poll(cx)));
        polled.unwrap_or_else(|_| {
            let text = "their source panicked";
            Poll::Ready(Err(Status::new(Code::Internal, text)))
        })
    })
    .await
}

/// The end of a fetch. Waiting calls are notified even if its task is dropped.
struct Landing {
    seat: Arc<Seat>,
    number: u64,
}

impl Landing {
    fn settle(&self, asked: Instant, result: Result<Token, Status>) {
        self.seat.settle(self.number, asked, result);
    }
}

impl Drop for Landing {
    /// Has no effect after `settle`.
    fn drop(&mut self) {
        self.seat.lose(self.number);
    }
}
