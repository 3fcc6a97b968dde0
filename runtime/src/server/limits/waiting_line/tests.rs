//! Unit tests of `waiting_line`.

use super::WaitingLine;
use std::task::Waker;

#[test]
fn who_came_first_goes_first_and_who_gave_up_does_not() {
    let mut line = WaitingLine::default();
    let numbers: Vec<_> = (0..4).map(|_| line.join()).collect();
    let waits = |line: &mut WaitingLine, of: usize| line.waits(numbers[of], Waker::noop());
    assert!(line.give_up(numbers[1]));
    assert!(!line.give_up(numbers[1]));
    assert!(waits(&mut line, 0) && waits(&mut line, 2));
    assert!(line.take_first().is_some());
    assert!(!waits(&mut line, 0) && !waits(&mut line, 1) && waits(&mut line, 2));
    assert!(line.take_first().is_some());
    // It never asked, so there is nobody to wake; yet it was its turn.
    assert!(line.take_first().is_none());
    assert_eq!(line.len(), 0);
    assert!(!waits(&mut line, 3));
}
