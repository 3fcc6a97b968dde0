//! Unit tests of `early_head`.

use super::*;

#[test]
fn a_handler_that_waits_from_the_first_has_its_head_sent_after_a_hold() {
    let mut early = EarlyHead::armed(true);
    early.on_ask();
    assert!(!early.on_wait(), "the connection looks by itself");
    assert_eq!(early.look(true), Look::Hold);
    assert_eq!(early.look(true), Look::Send);
}

#[test]
fn a_handler_whose_message_came_with_the_request_asks_when_it_waits_again() {
    let mut early = EarlyHead::armed(true);
    assert!(!early.on_wait());
    assert_eq!(early.look(false), Look::Nothing);
    assert!(early.on_wait());
    assert!(!early.on_wait(), "once");
    assert_eq!(early.look(false), Look::Hold, "it did wait");
    assert_eq!(early.look(false), Look::Send);
}

#[test]
fn what_the_head_says_is_settled_by_the_first_question() {
    let mut early = EarlyHead::armed(false);
    assert!(!early.is_settled());
    early.on_ask();
    assert!(early.is_settled());
    let mut held = EarlyHead::armed(false);
    held.never();
    held.on_ask();
    assert!(!held.is_settled() && !held.on_wait());
}
