//! Memory that comes back, whole and empty, and the bound of what is kept.

use super::*;

/// Tests run on threads of their own, so each finds nothing spare.
fn size() -> usize {
    with(&SPARE, |spare| spare.size).unwrap()
}

#[test]
fn memory_comes_back_empty() {
    let mut buffer = take(100_000);
    buffer.extend_from_slice(&[1; 1_000]);
    let (place, capacity) = (buffer.as_ptr(), buffer.capacity());
    keep(buffer.freeze());
    let again = take(90_000);
    assert_eq!((again.as_ptr(), again.capacity()), (place, capacity));
    assert!(again.is_empty());
    assert_eq!(size(), 0);
}

#[test]
fn the_last_part_of_a_message_keeps_all_of_its_memory() {
    let mut buffer = take(100_000);
    buffer.resize(100_000, 1);
    let mut whole = buffer.freeze();
    let first = whole.split_to(99_000);
    keep(whole);
    assert_eq!(size(), 0, "another part is still there");
    keep(first);
    assert_eq!(
        take(100_000).capacity(),
        100_000_usize.next_multiple_of(PAGE)
    );
}

#[test]
fn a_thread_keeps_only_so_much() {
    const QUARTER: usize = 1 << 20;
    for _ in 0..10 {
        keep(BytesMut::zeroed(QUARTER).freeze());
    }
    assert_eq!(size(), 4 * QUARTER);
    keep(BytesMut::zeroed(2 * KEPT).freeze());
    assert_eq!(size(), 4 * QUARTER);
    let taken: Vec<_> = (0..5).map(|_| take(QUARTER)).collect();
    assert_eq!(size(), 0);
    drop(taken);
}
