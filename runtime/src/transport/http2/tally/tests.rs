//! Unit tests of `tally`.

use super::*;

#[test]
fn what_is_counted_is_read_once_it_is_published_and_has_its_time() {
    let start = Instant::now();
    let mut tally = Tally::new(start);
    let later = start + Duration::from_millis(7);
    tally.call();
    tally.call();
    tally.received(1);
    tally.succeeded();
    assert_eq!(tally.counts().read().calls, 0);
    tally.publish(1, later);
    let counted = tally.counts().read();
    assert_eq!((counted.calls, counted.succeeded), (2, 1));
    assert_eq!((counted.in_flight, counted.received), (1, 1));
    assert_eq!(counted.last_call, Some(later));
    assert_eq!(counted.last_received, Some(later));
    assert_eq!((counted.sent, counted.last_sent), (0, None));
    assert_eq!(counted.peer_max_streams, None);
    tally.permitted(100);
    assert_eq!(tally.counts().read().peer_max_streams, Some(100));
}

#[test]
fn a_rest_in_which_nothing_happens_moves_no_time_and_an_end_is_seen() {
    let start = Instant::now();
    let mut tally = Tally::new(start);
    tally.sent(3);
    tally.publish(1, start);
    let later = start + Duration::from_secs(9);
    tally.publish(1, later);
    tally.publish(0, later);
    let counted = tally.counts().read();
    assert_eq!((counted.sent, counted.last_sent), (3, Some(start)));
    assert_eq!(counted.in_flight, 0);
}

#[test]
fn a_reader_on_another_thread_finds_no_call_that_is_nowhere() {
    let mut tally = Tally::new(Instant::now());
    let counts = Arc::clone(tally.counts());
    let reader = std::thread::spawn(move || {
        let mut last = Counted::default();
        while last.calls < 20_000 {
            let counted = counts.read();
            // Each begins, is in flight, and has succeeded in the next step.
            assert_eq!(counted.calls, counted.succeeded + counted.in_flight);
            assert!(counted.calls >= last.calls);
            last = counted;
        }
    });
    for _ in 0..20_000 {
        tally.call();
        tally.publish(1, Instant::now());
        tally.succeeded();
        tally.publish(0, Instant::now());
    }
    reader.join().unwrap();
}
