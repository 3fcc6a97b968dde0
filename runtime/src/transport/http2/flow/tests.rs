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
    window.receive(100).unwrap();
    assert_eq!(window.receive(1), Err(Exceeded));
    assert_eq!(window.update(), None);
    window.release(49);
    assert_eq!(window.update(), None);
    window.release(1);
    assert_eq!(window.update(), Some(50));
    window.receive(50).unwrap();
    assert_eq!(window.receive(1), Err(Exceeded));
}

#[test]
fn releasing_more_than_was_held_creates_no_credit() {
    let mut window = ReceiveWindow::new(100);
    window.receive(60).unwrap();
    assert_eq!(window.release(1_000), 60);
    assert_eq!(window.update(), Some(60));
    assert_eq!(window.receive(101), Err(Exceeded));
}

#[test]
fn an_unread_stream_does_not_stop_the_connection_until_its_buffer_is_full() {
    let mut window = ConnectionReceiveWindow::new(100_000, 250_000);
    assert_eq!(window.update(true), Some(100_000 - DEFAULT_WINDOW));
    window.receive(100_000).unwrap();
    assert_eq!(window.update(false), Some(100_000));
    window.receive(100_000).unwrap();
    assert_eq!(window.update(false), Some(50_000));
    window.receive(50_000).unwrap();
    assert_eq!(window.update(false), None);
    window.release(250_000);
    assert_eq!(window.update(false), Some(100_000));
}
