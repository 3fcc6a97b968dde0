//! What the attempts of a streaming call send, whatever happens to them.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::channel::call::plan::{AttemptLimits, Purse};
use crate::channel::config::method_config::RepeatPolicy;
use crate::channel::config::retry_policy::HedgingPolicy;
use crate::code::Code;

const LIMITS: AttemptLimits = AttemptLimits {
    attempts: 5,
    call_buffer: 100,
    channel_buffer: 150,
};

/// A plan whose attempts all start at once.
fn plan() -> Plan {
    let policy = HedgingPolicy::new(Duration::ZERO).max_attempts(5);
    let policy = policy.non_fatal_codes([Code::Unavailable]);
    let purse = Purse::new(LIMITS);
    Plan::new(Arc::new(RepeatPolicy::Hedging(policy)), Arc::new(purse))
}

fn chunk(length: usize) -> Outgoing {
    Outgoing {
        chunks: [Bytes::from(vec![0; length])].into(),
        ..Outgoing::default()
    }
}

/// The first attempt and a second one have their streams.
fn two(plan: &Plan) -> Arc<Attempts<()>> {
    let (attempts, now) = (Attempts::new(plan.clone(), ()), Instant::now());
    assert!(attempts.plan_hedge(now));
    assert_eq!(attempts.hedge(now), Hedge::Begins(1, true));
    attempts.begin(0, now);
    attempts.begin(1, now);
    attempts
}

#[test]
fn overflow_commits_to_none_that_is_no_more() {
    let attempts = two(&plan());
    for _ in 0..2 {
        assert!(attempts.take(0, |_| Some(chunk(10))).is_some());
    }
    assert!(!attempts.vanish(0), "the other one goes on");
    let (outgoing, committed) = attempts.take(1, |_| Some(chunk(90))).unwrap();
    assert_eq!(committed, Some(1));
    assert_eq!(outgoing.chunks.len(), 3);
}

/// An event of a call with several attempts; the number is the attempt's.
#[derive(Clone, Debug)]
enum Event {
    /// The sender queues so many bytes.
    Push(usize),
    Finish,
    Takes(u8),
    Fails(u8),
    Vanishes(u8),
    /// The attempt waits for another stream.
    Refused(u8),
    Head(u8),
    Hedge,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (1..60_usize).prop_map(Event::Push),
        1 => Just(Event::Finish),
        8 => (0..5_u8).prop_map(Event::Takes),
        1 => (0..5_u8).prop_map(Event::Fails),
        1 => (0..5_u8).prop_map(Event::Vanishes),
        1 => (0..5_u8).prop_map(Event::Refused),
        1 => (0..5_u8).prop_map(Event::Head),
        2 => Just(Event::Hedge),
    ]
}

/// What one attempt's stream was given.
#[derive(Debug, Default)]
struct Stream {
    bytes: Vec<u8>,
    has_end: bool,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Each attempt sends the request from its beginning, the one that wins sends all of
    /// it, and no bytes stay counted as kept.
    #[test]
    fn whatever_happens(events in prop::collection::vec(event(), 0..80)) {
        let (plan, now) = (plan(), Instant::now());
        let attempts = Attempts::new(plan.clone(), ());
        attempts.plan_hedge(now);
        attempts.begin(0, now);
        let mut streams = BTreeMap::from([(0, Stream::default())]);
        let (mut given, mut finished) = (Vec::new(), false);
        // What the sender has queued and no attempt has taken.
        let mut new = Outgoing::default();
        let (mut winner, mut is_over) = (None, false);
        for event in events {
            match event {
                Event::Push(length) if !finished => {
                    let bytes = vec![given.len() as u8; length];
                    given.extend_from_slice(&bytes);
                    new.chunks.push_back(bytes.into());
                }
                Event::Finish => {
                    new.end |= !finished;
                    finished = true;
                }
                Event::Takes(number) if streams.contains_key(&number) => {
                    let taken = attempts.take(number, |_| Some(std::mem::take(&mut new)));
                    let (outgoing, committed) = taken.unwrap();
                    if let Some(committed) = committed {
                        prop_assert!(winner.is_none() && streams.contains_key(&committed));
                        winner = Some(committed);
                    }
                    let stream = streams.get_mut(&number).unwrap();
                    outgoing.chunks.iter().for_each(|it| stream.bytes.extend_from_slice(it));
                    prop_assert!(!(outgoing.end && stream.has_end));
                    stream.has_end |= outgoing.end;
                }
                Event::Head(number) if streams.contains_key(&number) && attempts.commit(number) => {
                    prop_assert!(winner.is_none_or(|winner| winner == number));
                    winner = Some(number);
                }
                Event::Refused(number) => if let Some(stream) = streams.get_mut(&number)
                    && winner.is_none()
                {
                    *stream = Stream::default();
                    attempts.begin(number, now);
                },
                Event::Vanishes(number) if streams.remove(&number).is_some() => {
                    is_over |= attempts.vanish(number);
                }
                Event::Fails(number) if streams.remove(&number).is_some() => {
                    let status = Status::unavailable("no");
                    match attempts.fail(number, status, None, now) {
                        After::Ends(_) => is_over = true,
                        After::Again(next) => {
                            attempts.begin(next, now);
                            streams.insert(next, Stream::default());
                        }
                        After::Others => {}
                    }
                }
                Event::Hedge => if let Hedge::Begins(number, _) = attempts.hedge(now) {
                    attempts.begin(number, now);
                    streams.insert(number, Stream::default());
                },
                _ => {}
            }
            if is_over {
                break;
            }
            for stream in streams.values() {
                prop_assert!(given.starts_with(&stream.bytes));
            }
            // An attempt continues the call.
            prop_assert!(!streams.is_empty());
            prop_assert!(winner.is_none_or(|winner| streams.contains_key(&winner)));
        }
        if !is_over {
            let goes_on = winner.unwrap_or_else(|| *streams.keys().next().unwrap());
            let taken = attempts.take(goes_on, |_| Some(std::mem::take(&mut new)));
            let (outgoing, committed) = taken.unwrap();
            let stream = streams.get_mut(&goes_on).unwrap();
            outgoing.chunks.iter().for_each(|it| stream.bytes.extend_from_slice(it));
            stream.has_end |= outgoing.end;
            if committed.is_none_or(|committed| committed == goes_on) {
                prop_assert_eq!(&stream.bytes, &given);
                prop_assert_eq!(stream.has_end, finished);
            }
        }
        drop(attempts);
        prop_assert!(plan.keep(LIMITS.channel_buffer), "something stayed set aside");
    }
}
