//! The size of a stream, and what of its chunks is there.

use super::*;

#[test]
fn a_stream_with_its_number_is_no_larger_than_what_moves_in_place() {
    assert!(size_of::<(StreamId, Stream)>() <= 128);
}

#[test]
fn a_chunk_is_there_until_its_last_byte_is_dequeued() {
    let mut stream = Stream::new(0, 0, Instant::now());
    stream.enqueue(Bytes::from(vec![0; 1_000]));
    stream.enqueue(Bytes::from(vec![0; 100]));
    assert!(!stream.dequeue(999).1);
    assert_eq!(
        (stream.queued(), stream.begun(), stream.held()),
        (101, 999, 1_100)
    );
    assert!(stream.dequeue(101).1);
    assert_eq!(
        (stream.queued(), stream.begun(), stream.held()),
        (100, 0, 100)
    );
    assert!(!stream.dequeue(100).1);
    assert_eq!(stream.held(), 0);
}
