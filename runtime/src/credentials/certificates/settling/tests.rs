//! Unit tests of `settling`.

use super::*;

const EVERY: Duration = Duration::from_secs(30);

#[test]
fn what_is_in_use_is_never_judged() {
    let now = Instant::now();
    let mut settling = Settling::new("a", EVERY);
    for turn in 0..5 {
        assert_eq!(settling.look("a", now + turn * EVERY), None);
        assert_eq!(settling.rest(), EVERY);
    }
}

#[test]
fn what_changes_is_judged_once_it_stands_still() {
    let mut now = Instant::now();
    let mut settling = Settling::new("a", EVERY);
    for content in ["b", "bc", "bcd"] {
        assert_eq!(settling.look(content, now), None);
        assert_eq!(settling.rest(), SETTLE);
        now += SETTLE;
    }
    assert_eq!(
        settling.look("bcd", now.checked_sub(SETTLE / 2).unwrap()),
        None
    );
    assert_eq!(settling.look("bcd", now), Some(&"bcd"));
    settling.taken();
    assert_eq!(settling.rest(), EVERY);
    assert_eq!(settling.look("bcd", now), None);
}

#[test]
fn what_is_refused_is_told_once_and_judged_again() {
    let now = Instant::now();
    let mut settling = Settling::new("a", EVERY);
    assert_eq!(settling.look("bad", now), None);
    assert_eq!(settling.look("bad", now + SETTLE), Some(&"bad"));
    assert!(settling.refused());
    assert_eq!(settling.rest(), EVERY);
    assert_eq!(settling.look("bad", now + EVERY), Some(&"bad"));
    assert!(!settling.refused());
    // Another is told anew, and so is the same after what was in use.
    assert_eq!(settling.look("worse", now + 2 * EVERY), None);
    assert_eq!(settling.look("worse", now + 3 * EVERY), Some(&"worse"));
    assert!(settling.refused());
    assert_eq!(settling.look("a", now + 4 * EVERY), None);
    assert_eq!(settling.look("worse", now + 5 * EVERY), None);
    assert_eq!(settling.look("worse", now + 6 * EVERY), Some(&"worse"));
    assert!(settling.refused());
}

#[test]
fn short_intervals_settle_in_theirs() {
    let now = Instant::now();
    let every = Duration::from_millis(20);
    let mut settling = Settling::new("a", every);
    assert_eq!(settling.look("b", now), None);
    assert_eq!(settling.rest(), every);
    assert_eq!(settling.look("b", now + every), Some(&"b"));
}
