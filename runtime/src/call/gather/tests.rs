//! A message that waits for the end of its stream.

use super::*;

#[test]
fn a_message_that_waits_keeps_nothing_of_what_it_was_read_with() {
    let buffer = Bytes::from([&[0, 0, 0, 3, 0][..], &vec![7; 60_000]].concat());
    let mut gather = Gather::new(1 << 20, Side::Server, Compression::default());
    gather
        .push(buffer.slice(..PREFIX_LEN + 768), usize::MAX)
        .unwrap();
    assert!(!buffer.is_unique());
    gather.unpin();
    assert!(buffer.is_unique());
    let message = gather.finish().unwrap().unwrap();
    assert_eq!(message.len(), 768);
}
