//! Tests of `race.rs` in paused time.

use std::cell::RefCell;
use std::future::{Future, pending};
use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::race;

const HOUR: Duration = Duration::from_secs(3_600);

/// Succeeds or fails with the text after so many milliseconds; `None` never ends.
type Script = Option<(u64, Result<&'static str, &'static str>)>;

/// Runs the attempts. Returns the result, the milliseconds it took, and when each attempt
/// began.
async fn run(
    scripts: &[Script],
) -> (
    Result<&'static str, Vec<&'static str>>,
    u128,
    Vec<(usize, u128)>,
) {
    let (start, began) = (Instant::now(), RefCell::new(Vec::new()));
    let attempts = scripts.iter().enumerate().map(|(number, script)| {
        let began = &began;
        let attempt: Pin<Box<dyn Future<Output = _>>> = Box::pin(async move {
            let elapsed = start.elapsed().as_millis();
            began.borrow_mut().push((number, elapsed));
            let Some((millis, result)) = script else {
                return pending().await;
            };
            sleep(Duration::from_millis(*millis)).await;
            *result
        });
        attempt
    });
    let result = tokio::time::timeout(HOUR, race(attempts)).await.unwrap();
    (result, start.elapsed().as_millis(), began.into_inner())
}

#[tokio::test(start_paused = true)]
async fn one_that_succeeds_in_time_is_alone() {
    let outcome = run(&[Some((249, Ok("first"))), Some((0, Ok("second")))]).await;
    assert_eq!(outcome, (Ok("first"), 249, vec![(0, 0)]));
}

#[tokio::test(start_paused = true)]
async fn a_failure_begins_the_next_at_once() {
    let scripts = [Some((3, Err("a"))), Some((0, Err("b"))), Some((0, Ok("c")))];
    let (result, elapsed, began) = run(&scripts).await;
    assert_eq!((result, began.len()), (Ok("c"), 3));
    // A sleep of zero may take a tick of the timer.
    assert!(elapsed <= 5, "{elapsed}");
}

#[tokio::test(start_paused = true)]
async fn one_that_hangs_holds_up_the_next_for_its_head_start_only() {
    let outcome = run(&[None, None, Some((10, Ok("third")))]).await;
    let began = vec![(0, 0), (1, 250), (2, 500)];
    assert_eq!(outcome, (Ok("third"), 510, began));
}

#[tokio::test(start_paused = true)]
async fn a_failure_beside_one_that_hangs_begins_the_next_at_once() {
    let outcome = run(&[None, Some((50, Err("b"))), Some((10, Ok("c")))]).await;
    let began = vec![(0, 0), (1, 250), (2, 300)];
    assert_eq!(outcome, (Ok("c"), 310, began));
}

#[tokio::test(start_paused = true)]
async fn a_late_success_of_an_early_attempt_counts() {
    let outcome = run(&[Some((400, Ok("first"))), None]).await;
    assert_eq!(outcome, (Ok("first"), 400, vec![(0, 0), (1, 250)]));
}

#[tokio::test(start_paused = true)]
async fn failures_are_told_in_the_order_of_the_attempts() {
    let scripts = [
        Some((1_000, Err("a"))),
        Some((10, Err("b"))),
        Some((20, Err("c"))),
    ];
    let outcome = run(&scripts).await;
    let began = vec![(0, 0), (1, 250), (2, 260)];
    assert_eq!(outcome, (Err(vec!["a", "b", "c"]), 1_000, began));
    assert_eq!(run(&[]).await.0, Err(vec![]));
}
