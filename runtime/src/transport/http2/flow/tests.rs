//! Tests of `flow.rs`.

use super::*;

#[test]
fn a_send_window_may_go_below_zero_and_not_above_the_maximum() {
    let mut window = SendWindow::new(10);
    window.take(10);
    window.add(-5).unwrap();
    assert_eq!(window.available(), 0);
    window.add(6).unwrap();
    assert_eq!(window.available(), 1);
    assert_eq!(window.add(i64::from(i32::MAX)), Err(Overflow));
}

#[test]
fn a_stream_window_follows_what_was_consumed() {
    let mut window = ReceiveWindow::new(100);
    assert_eq!(window.receive(100), Ok(100));
    assert_eq!(window.receive(1), Err(Exceeded(1)));
    assert_eq!(window.update(100, 100), None);
    assert_eq!(window.release(49), (0, 49));
    assert_eq!(window.update(100, 100), None);
    window.release(1);
    assert_eq!(window.update(100, 100), Some(50));
    window.receive(50).unwrap();
    assert_eq!(window.receive(1), Err(Exceeded(1)));
}

#[test]
fn releasing_more_than_was_held_creates_no_credit() {
    let mut window = ReceiveWindow::new(100);
    window.receive(60).unwrap();
    window.release(1_000);
    assert_eq!(window.update(100, 100), Some(60));
    assert_eq!(window.receive(101), Err(Exceeded(1)));
}

#[test]
fn a_share_that_shrinks_takes_what_was_left_and_gives_nothing_until_enough_is_read() {
    let mut window = ReceiveWindow::new(1_000);
    window.receive(400).unwrap();
    window.shift(100 - 1_000);
    assert_eq!(window.window(), 0);
    window.release(350);
    assert_eq!(window.update(100, 1_000), Some(350));
    assert_eq!(window.window(), 50);
    window.release(50);
    assert_eq!(window.update(100, 1_000), Some(50));
    assert_eq!(window.window(), 100);
}

#[test]
fn memory_for_a_message_is_credit_on_top_of_the_share() {
    let mut window = ReceiveWindow::new(100);
    window.receive(60).unwrap();
    assert!(window.want(500));
    assert!(!window.want(500), "it is known");
    assert_eq!(window.unread(), 60);
    window.grant();
    assert_eq!((window.unread(), window.is_filling(false)), (0, true));
    assert_eq!(window.update(100, 100), Some(500));
    assert_eq!(window.receive(440), Ok(0));
    assert!(!window.is_filling(false));
    assert_eq!(window.receive(70), Ok(70));
    assert_eq!((window.unread(), window.held()), (70, 570));
    assert_eq!(window.release(500), (500, 0));
    assert_eq!((window.granted(), window.unread()), (0, 70));
    assert_eq!(window.update(100, 100), None, "30 are left of 100");
    window.release(70);
    assert_eq!(window.update(100, 100), Some(70));
}

#[test]
fn no_window_grows_above_the_maximum() {
    let wide = 1 << 30;
    let mut window = ReceiveWindow::new(wide);
    window.receive(10).unwrap();
    assert!(window.want(u32::MAX));
    window.grant();
    let increment = window.update(wide, wide).unwrap();
    assert_eq!(i64::from(window.window()), MAX_WINDOW - 10);
    assert_eq!(i64::from(increment), MAX_WINDOW - i64::from(wide));
}
