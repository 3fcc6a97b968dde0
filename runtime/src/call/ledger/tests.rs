//! What a ledger reports before and after its call has ended, and that its memory is reused
//! for the next call.

use std::sync::Arc;

use super::live_attempts::AttemptReason;
use super::*;
use crate::deadline::Deadline;
use crate::observe::attempt::{BegunAttempt, EndedAttempt};
use crate::observe::ended_call::Traffic;

const GET: Method = Method::unary("/shop.Orders/Get");

/// One word for each report.
#[derive(Clone, Default)]
struct Hears(Arc<Mutex<Vec<&'static str>>>);

impl Hears {
    fn push(&self, word: &'static str) {
        self.0.lock().unwrap().push(word);
    }

    fn take(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    fn observers(&self) -> Observers {
        let mut observers = Observers::default();
        observers.push(self.clone());
        observers.of_target("dns:///shop".to_owned())
    }
}

impl crate::observe::observer::Observer for Hears {
    fn call_begun(&self, _: &BegunCall<'_>) -> Option<Box<dyn CallObserver>> {
        self.push("begun");
        Some(Box::new(self.clone()))
    }

    fn attempt_begun(&self, _: &BegunAttempt<'_>) {
        self.push("attempt");
    }

    fn attempt_ended(&self, _: &EndedAttempt<'_>) {
        self.push("attempt ended");
    }

    fn call_ended(&self, _: &EndedCall<'_>) {
        self.push("ended");
    }
}

impl CallObserver for Hears {
    fn message_received(&mut self, _: &ObservedMessage) {
        self.push("received");
    }

    fn turn_ended(&mut self) {
        self.push("turned");
    }
}

fn begin(hears: &Hears) -> Arc<Ledger> {
    let call = BegunCall {
        side: Side::Client,
        method: GET,
        target: Some("dns:///shop"),
        peer: None,
        metadata: &Metadata::new(),
        deadline: None::<Deadline>,
    };
    Ledger::begin(hears.observers(), &call, clock::now())
}

#[test]
fn nothing_follows_the_end_but_the_end_of_a_turn() {
    let hears = Hears::default();
    let ledger = begin(&hears);
    ledger.begin_attempt(0, AttemptReason::First, clock::now());
    ledger.count_received_one(3, 3);
    ledger.close(&Metadata::new(), Ok(&Metadata::new()));
    let expected = ["begun", "attempt", "received", "attempt ended", "ended"];
    assert_eq!(hears.take(), expected);

    // Other holders still had the call when it ended.
    ledger.count_received_one(3, 3);
    ledger.begin_attempt(1, AttemptReason::Retry, clock::now());
    ledger.end_attempt(1, &Status::unavailable("late"), clock::now());
    ledger.close(&Metadata::new(), Err(&Status::unavailable("late")));
    assert_eq!(hears.take(), Vec::<&str>::new());
    ledger.end_turn();
    assert_eq!(hears.take(), ["turned"]);
    Ledger::give_back(ledger);
    assert_eq!(hears.take(), Vec::<&str>::new());
}

#[test]
fn the_last_holder_tells_of_a_call_that_nobody_has_closed() {
    let hears = Hears::default();
    let (one, other) = {
        let ledger = begin(&hears);
        (Arc::clone(&ledger), ledger)
    };
    ledger_is_open(&one);
    Ledger::give_back(one);
    assert_eq!(hears.take(), ["begun"]);
    Ledger::give_back(other);
    assert_eq!(hears.take(), ["ended"]);
    // The next call gets its memory and none of its content.
    let next = begin(&Hears::default());
    ledger_is_open(&next);
    assert_eq!(next.received.traffic(), Traffic::default());
}

fn ledger_is_open(ledger: &Ledger) {
    let end = ledger.end();
    assert!(!end.told && !end.is_observed && end.peer.is_none() && end.listeners.is_empty());
}

#[test]
fn an_attempt_that_never_had_a_stream_is_not_made_anew() {
    let hears = Hears::default();
    let (ledger, now) = (begin(&hears), clock::now());
    let status = Status::unavailable("not looked at");
    ledger.begin_attempt(0, AttemptReason::First, now);
    ledger.repeat_attempt(0, &status, now);
    assert_eq!(hears.take(), ["begun", "attempt"]);
    ledger.attempt_goes_to(0, Some(&PeerAddress::InProcess), now);
    ledger.repeat_attempt(0, &status, now);
    assert_eq!(hears.take(), ["attempt ended", "attempt"]);
    ledger.close(&Metadata::new(), Ok(&Metadata::new()));
    assert_eq!(hears.take(), ["attempt ended", "ended"]);
}
