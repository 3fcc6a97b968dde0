//! Unit tests of `followed`.

use std::sync::Mutex;

use tracing::span::Id;
use tracing::subscriber::with_default;
use tracing::{Subscriber, info_span};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::{Layer, Registry};

use super::*;
use crate::method::Method;
use crate::observe::ended_call::{FurtherAttempts, Traffic};

#[derive(Clone, Default)]
struct Hears(Arc<Mutex<Vec<&'static str>>>);

impl<S: Subscriber> Layer<S> for Hears {
    fn on_enter(&self, _id: &Id, _context: Context<'_, S>) {
        self.0.lock().unwrap().push("entered");
    }

    fn on_exit(&self, _id: &Id, _context: Context<'_, S>) {
        self.0.lock().unwrap().push("left");
    }

    fn on_close(&self, _id: Id, _context: Context<'_, S>) {
        self.0.lock().unwrap().push("closed");
    }
}

fn end(call: &mut FollowedCall) {
    let none = Metadata::new();
    call.ended(&EndedCall {
        side: Side::Server,
        method: Method::UNKNOWN,
        target: None,
        attempts: 0,
        further_attempts: FurtherAttempts::default(),
        peer: None,
        elapsed: Duration::ZERO,
        result: Ok(()),
        initial_metadata: &none,
        trailing_metadata: &none,
        sent: Traffic::default(),
        received: Traffic::default(),
    });
}

/// What a subscriber hears of one call, from its turns to its end.
fn hears(happens: impl Fn(&mut FollowedCall)) -> Hears {
    let hears = Hears::default();
    with_default(Registry::default().with(hears.clone()), || {
        let mut call = FollowedCall::new(Side::Server, info_span!("call"));
        happens(&mut call);
        // The span is closed though the follower is still there.
        assert_eq!(hears.0.lock().unwrap().last(), Some(&"closed"));
        assert!(Span::current().is_none());
    });
    hears
}

#[test]
fn a_span_is_closed_with_its_call() {
    let heard = hears(|call| {
        call.turn_began();
        call.turn_ended();
        end(call);
    });
    assert_eq!(*heard.0.lock().unwrap(), ["entered", "left", "closed"]);
}

/// Its connection may end a call while the handler is in its turn on another thread.
#[test]
fn a_turn_that_outlives_its_call_is_left() {
    let heard = hears(|call| {
        call.turn_began();
        end(call);
        call.turn_ended();
        // The handler's task has not been aborted yet.
        call.turn_began();
        call.turn_ended();
    });
    assert_eq!(*heard.0.lock().unwrap(), ["entered", "left", "closed"]);
}
