//! Tests of `budgets.rs`.

use super::*;

fn budgets(now: Instant) -> Budgets {
    Budgets::new(10_000, 500, now)
}

/// How often `spend` succeeds, up to a million times.
fn spends(mut spend: impl FnMut() -> Result<(), Spent>) -> usize {
    (0..1_000_000).take_while(|_| spend().is_ok()).count()
}

#[test]
fn updates_of_nothing_that_was_sent_cost_control_tokens() {
    let now = Instant::now();
    let mut budgets = budgets(now);
    assert_eq!(spends(|| budgets.window_update(now)), 10_000);
}

#[test]
fn who_gives_back_both_windows_with_each_read_is_never_short() {
    let now = Instant::now();
    // (the size of a DATA frame, of a read)
    for (frame, read) in [
        (16_384, 16_384),
        (16_384, 4_096),
        (16_384, 4),
        (105, 105),
        (105, 100),
        (6, 2),
        (1, 1),
    ] {
        let mut budgets = budgets(now);
        let reads = usize::div_ceil(frame, read);
        for _ in 0..20_000 {
            budgets.sent_data(frame);
            for _ in 0..2 * reads {
                budgets.window_update(now).unwrap();
            }
        }
        assert_eq!(spends(|| budgets.control(now)), 10_000, "{frame} by {read}");
    }
}

/// 1 GiB that a peer has room for, and reads only when it has all of it.
#[test]
fn who_reads_late_gives_back_late() {
    let now = Instant::now();
    let mut budgets = budgets(now);
    for _ in 0..65_536 {
        budgets.sent_data(16_384);
    }
    for _ in 0..2 * 65_536 {
        budgets.window_update(now).unwrap();
    }
}

#[test]
fn a_reset_counts_where_it_comes_sooner_than_an_answer_could() {
    let now = Instant::now();
    let mut budgets = budgets(now);
    let lived = now + LIVED;
    for _ in 0..100_000 {
        budgets.reset(now, true, now).unwrap();
        budgets.reset(now, false, lived).unwrap();
    }
    assert_eq!(spends(|| budgets.reset(now, false, now)), 500);
    budgets.ended_in_order();
    assert_eq!(spends(|| budgets.reset(now, false, now)), 1);
    let later = now + Duration::from_millis(100);
    assert_eq!(spends(|| budgets.reset(later, false, later)), 50);
}

#[test]
fn a_reset_behind_each_end_costs_nothing() {
    let now = Instant::now();
    let mut budgets = budgets(now);
    for _ in 0..50_000 {
        budgets.ended_in_order();
    }
    assert_eq!(spends(|| budgets.late_reset(now)), 50_000 + 10_000);
}

#[test]
fn calls_too_many_cost_nothing_before_the_peer_can_know() {
    let now = Instant::now();
    let mut unknowing = budgets(now);
    assert_eq!(spends(|| unknowing.refused(now)), 4_096 + 500);
    let mut knowing = budgets(now);
    knowing.settings_acknowledged();
    assert_eq!(spends(|| knowing.refused(now)), 500);
}
