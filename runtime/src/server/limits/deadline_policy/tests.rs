//! Unit tests of `deadline_policy`.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn callers_have_the_time_that_they_ask_for_within_the_policy() {
    let settle = |policy: DeadlinePolicy, timeout| {
        let settled = policy.settle(timeout);
        settled.map_err(|status| status.code())
    };
    let none = DeadlinePolicy::new();
    for timeout in [None, Some(Duration::ZERO), Some(Duration::MAX)] {
        assert_eq!(settle(none, timeout), Ok(timeout));
    }
    let all = none
        .assumed(10 * SECOND)
        .at_least(2 * SECOND)
        .at_most(60 * SECOND);
    for (timeout, settled) in [
        (None, Ok(Some(10))),
        (Some(0), Err(Code::DeadlineExceeded)),
        (Some(1), Err(Code::DeadlineExceeded)),
        (Some(2), Ok(Some(2))),
        (Some(60), Ok(Some(60))),
        (Some(61), Ok(Some(60))),
    ] {
        let settled = settled.map(|seconds: Option<u64>| seconds.map(Duration::from_secs));
        assert_eq!(settle(all, timeout.map(Duration::from_secs)), settled);
    }
    // Who says nothing is not refused for it.
    let short = all.assumed(SECOND);
    assert_eq!(settle(short, None), Ok(Some(2 * SECOND)));
    let long = all.assumed(600 * SECOND);
    assert_eq!(settle(long, None), Ok(Some(60 * SECOND)));
    assert_eq!(settle(none.at_most(SECOND), None), Ok(Some(SECOND)));
}
