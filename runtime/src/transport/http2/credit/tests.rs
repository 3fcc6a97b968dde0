//! Tests of `credit.rs`.

use super::*;

const KIB: u32 = 1 << 10;
const MIB: u32 = 1 << 20;

fn credit() -> Credit {
    let mut credit = Credit::new(MIB, 4 * MIB, 16 * MIB);
    assert_eq!(credit.update(true), Some(4 * MIB - DEFAULT_WINDOW));
    assert_eq!(credit.acknowledge(), Ok(None));
    credit
}

/// `bytes` arrive, as far as the window lets them, and nobody reads them.
fn fill(credit: &mut Credit, mut bytes: u32) -> u32 {
    let mut taken = 0;
    while bytes > 0 {
        let piece = bytes.min(u32::try_from(credit.window).unwrap());
        if piece == 0 {
            break;
        }
        credit.receive(piece).unwrap();
        credit.add_unread(i64::from(piece));
        credit.update(false);
        bytes -= piece;
        taken += piece;
    }
    taken
}

#[test]
fn unread_bytes_cost_no_credit_until_the_capacity_is_full() {
    let mut credit = credit();
    assert_eq!(fill(&mut credit, 20 * MIB), 16 * MIB);
    assert_eq!(credit.receive(1), Err(Exceeded(1)));
    credit.add_unread(-i64::from(16 * MIB));
    assert_eq!(credit.update(false), Some(4 * MIB));
}

#[test]
fn a_half_full_connection_asks_its_readers_and_then_shrinks_its_streams() {
    let mut credit = credit();
    fill(&mut credit, 8 * MIB);
    assert!(!credit.is_settled());
    assert_eq!(credit.review(10, false), Review::Ask);
    assert_eq!(credit.review(10, false), Review::Tell(64 * KIB));
    assert_eq!((credit.share(), credit.initial_window()), (64 * KIB, MIB));
    // Until the peer knows, the capacity is all there is.
    assert_eq!(fill(&mut credit, 20 * MIB), 8 * MIB);
    assert_eq!(credit.review(10, false), Review::Nothing);
    let change = i64::from(64 * KIB) - i64::from(MIB);
    assert_eq!(credit.acknowledge(), Ok(Some(change)));
    assert_eq!(credit.initial_window(), 64 * KIB);
    assert!(credit.update(false).is_some());
    assert_eq!(fill(&mut credit, 64 * MIB), 16 * MIB);
}

#[test]
fn more_streams_than_fair_shares_have_the_least_one_and_endless_credit() {
    for streams in [257, 5_000] {
        let mut credit = credit();
        fill(&mut credit, 8 * MIB);
        assert_eq!(credit.review(streams, false), Review::Ask);
        assert_eq!(credit.review(streams, false), Review::Tell(LEAST_SHARE));
        credit.acknowledge().unwrap();
        credit.update(false);
        assert_eq!(fill(&mut credit, 500 * MIB), 500 * MIB);
    }
}

#[test]
fn a_connection_that_was_read_gives_all_it_had() {
    let mut credit = credit();
    fill(&mut credit, 8 * MIB);
    credit.review(1, false);
    credit.review(1, false);
    credit.acknowledge().unwrap();
    credit.add_unread(-i64::from(4 * MIB));
    assert_eq!(credit.review(1, false), Review::Nothing);
    credit.add_unread(-i64::from(2 * MIB));
    assert_eq!(credit.review(1, false), Review::Tell(MIB));
    let change = i64::from(MIB) - i64::from(64 * KIB);
    assert_eq!(credit.widen(), Some(change));
    assert_eq!(credit.initial_window(), MIB);
    assert_eq!(credit.acknowledge(), Ok(None));
    assert!(credit.update(false).is_none() || credit.is_settled());
}

#[test]
fn readers_together_keep_back_a_quarter_of_the_capacity_at_most() {
    let credit = credit();
    for streams in [0, 1, 16, 57, 60, 256, 2_000] {
        let Reports { step, .. } = credit.reports(streams);
        assert!((LEAST_STEP..=256 << 10).contains(&step), "{step}");
        assert!(
            step * streams <= 4 << 20 || step == LEAST_STEP,
            "{streams} streams of {step}"
        );
    }
}

#[test]
fn an_acknowledgement_of_nothing_is_told() {
    assert_eq!(credit().acknowledge(), Err(()));
}

#[test]
fn where_memory_is_tight_connections_save_from_little_on() {
    let mut credit = credit();
    credit.share_memory();
    fill(&mut credit, 60 << 10);
    assert_eq!(credit.review(1, true), Review::Nothing);
    fill(&mut credit, 10 << 10);
    assert_eq!(credit.review(1, true), Review::Ask);
    assert_eq!(credit.review(1, true), Review::Tell(LEAST_SHARE));
    credit.acknowledge().unwrap();
    assert_eq!(credit.review(1, true), Review::Nothing);
    assert_eq!(credit.review(1, false), Review::Tell(MIB));
}

/// Until the connection's window of that moment is used up.
#[test]
fn what_was_taken_before_a_cut_may_come_after_it() {
    let mut credit = credit();
    fill(&mut credit, 8 * MIB);
    assert!(!credit.forgive(1));
    credit.review(1, false);
    credit.review(1, false);
    let window = u32::try_from(credit.window).unwrap();
    credit.acknowledge().unwrap();
    assert!(credit.forgive(window - 1) && credit.forgive(1));
    assert!(!credit.forgive(1));
}
