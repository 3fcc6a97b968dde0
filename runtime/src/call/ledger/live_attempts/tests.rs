//! Unit tests of `live_attempts`.

use super::*;

#[test]
fn what_ran_beside_others_and_what_waited_is_counted() {
    let start = Instant::now();
    let at = |milliseconds| start + Duration::from_millis(milliseconds);
    let mut attempts = LiveAttempts::default();
    assert_eq!(attempts.begin(0, AttemptReason::First, at(0)).number, 0);
    // The same number in the policy's count, but a different attempt.
    assert!(attempts.end(0, at(1)).is_some());
    assert_eq!(
        attempts.begin(0, AttemptReason::Transparent, at(1)).number,
        1
    );
    assert_eq!(attempts.begin(1, AttemptReason::Hedge, at(2)).number, 2);
    assert_eq!(attempts.end(0, at(5)).map(|it| it.number), Some(1));
    assert!(attempts.end(0, at(5)).is_none());
    assert!(attempts.end(1, at(6)).is_some());
    assert_eq!(attempts.begin(2, AttemptReason::Retry, at(9)).number, 3);
    assert_eq!(attempts.get_mut(2).map(|it| it.number), Some(3));
    let numbers: Vec<_> = attempts.end_all().map(|it| it.number).collect();
    assert_eq!(numbers, [3]);
    let counts = attempts.counts();
    let all = (counts.retries, counts.hedges, counts.transparent_retries);
    assert_eq!((all, counts.delay), ((1, 1, 1), Duration::from_millis(3)));
}
