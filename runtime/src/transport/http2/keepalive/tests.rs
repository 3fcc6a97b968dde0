//! Tests of `keepalive.rs`: a clock that the test moves.

use super::*;

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn asking(time: u64, timeout: u64, without_calls: bool) -> (Keepalive, Instant) {
    let now = Instant::now();
    let options = KeepaliveOptions {
        time: Some(secs(time)),
        timeout: secs(timeout),
        without_calls,
    };
    (Keepalive::new(&options, now).unwrap(), now)
}

#[test]
fn a_quiet_peer_is_asked_and_then_given_up() {
    // The timeout may be shorter or longer than the time.
    for timeout in [1, 10, 20, 100] {
        let (mut keepalive, start) = asking(10, timeout, false);
        let mut now = start;
        let mut beats = Vec::new();
        while beats.last() != Some(&(Beat::Dead, now)) {
            now = keepalive.next_timeout(true).unwrap();
            match keepalive.on_timeout(true, now) {
                Beat::Still => {}
                beat => beats.push((beat, now)),
            }
        }
        let (asked, dead) = (start + secs(10), start + secs(10 + timeout));
        assert_eq!(beats, [(Beat::Ping, asked), (Beat::Dead, dead)]);
    }
}

#[test]
fn whatever_is_heard_puts_the_question_off_without_moving_the_timer() {
    let (mut keepalive, start) = asking(10, 20, false);
    let armed = keepalive.next_timeout(true);
    keepalive.heard(start + secs(4));
    keepalive.heard(start + secs(7));
    assert_eq!(keepalive.next_timeout(true), armed);
    assert_eq!(keepalive.on_timeout(true, start + secs(10)), Beat::Still);
    assert_eq!(keepalive.next_timeout(true), Some(start + secs(17)));
    assert_eq!(keepalive.on_timeout(true, start + secs(17)), Beat::Ping);
    // Any byte answers; the next question counts from it.
    keepalive.heard(start + secs(20));
    assert_eq!(keepalive.on_timeout(true, start + secs(27)), Beat::Still);
    assert_eq!(keepalive.next_timeout(true), Some(start + secs(30)));
    assert_eq!(keepalive.on_timeout(true, start + secs(30)), Beat::Ping);
}

#[test]
fn without_calls_it_sleeps_and_asks_with_the_next_call() {
    let (mut keepalive, start) = asking(10, 20, false);
    assert_eq!(keepalive.on_timeout(false, start + secs(10)), Beat::Still);
    assert_eq!(keepalive.next_timeout(false), None);
    // A call begins an hour later: the timer is due at once.
    let later = start + secs(3_600);
    assert!(keepalive.next_timeout(true).unwrap() <= later);
    assert_eq!(keepalive.on_timeout(true, later), Beat::Ping);
    assert_eq!(keepalive.next_timeout(true), Some(later + secs(10)));
    // The call ends unanswered: the connection is dead all the same.
    assert_eq!(keepalive.on_timeout(false, later + secs(10)), Beat::Still);
    assert_eq!(keepalive.on_timeout(false, later + secs(20)), Beat::Dead);
}

#[test]
fn with_leave_it_asks_without_calls_too() {
    let (mut keepalive, start) = asking(10, 20, true);
    assert_eq!(keepalive.next_timeout(false), Some(start + secs(10)));
    assert_eq!(keepalive.on_timeout(false, start + secs(10)), Beat::Ping);
}

#[test]
fn slowing_down_doubles_the_time_and_overflows_nothing() {
    let mut options = KeepaliveOptions {
        time: Some(secs(10)),
        ..KeepaliveOptions::CLIENT
    };
    options.slow_down();
    assert_eq!(options.time, Some(secs(20)));
    for _ in 0..100 {
        options.slow_down();
    }
    assert!(Keepalive::new(&options, Instant::now()).is_some());
}

/// Whether PINGs at these seconds pass.
fn judged(limits: PingLimits, has_calls: bool, at: &[u64]) -> Vec<bool> {
    let start = Instant::now();
    let mut strikes = PingStrikes::default();
    at.iter()
        .map(|at| strikes.take(&limits, has_calls, false, start + secs(*at)))
        .collect()
}

#[test]
fn the_third_ping_that_comes_too_soon_is_one_too_many() {
    let limits = PingLimits::default();
    let spared = [true, true, true, false];
    assert_eq!(judged(limits, true, &[0, 299, 598, 897]), spared);
    assert_eq!(judged(limits, true, &[0, 300, 600, 900]), [true; 4]);
    // Without a call two hours are wanted, unless less is permitted.
    assert_eq!(judged(limits, false, &[0, 300, 600, 900]), spared);
    assert_eq!(
        judged(limits, false, &[0, 7_200, 14_400, 21_600]),
        [true; 4]
    );
    let permitted = PingLimits {
        without_calls: true,
        ..limits
    };
    assert_eq!(judged(permitted, false, &[0, 300, 600, 900]), [true; 4]);
}

#[test]
fn what_was_sent_of_calls_forgives_all_pings_before_it() {
    let limits = PingLimits::default();
    let now = Instant::now();
    let mut strikes = PingStrikes::default();
    for _ in 0..1_000 {
        for sent in [true, false, false] {
            assert!(strikes.take(&limits, true, sent, now));
        }
    }
    assert!(!strikes.take(&limits, true, false, now));
}
