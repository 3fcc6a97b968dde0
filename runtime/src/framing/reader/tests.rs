//! The reader, however its input is cut.

use bytes::{Buf, Bytes};
use proptest::prelude::*;

use super::{MessageReader, RESERVED, sole_message};
use crate::framing::tests::{NO_LIMIT, bodies, cuts, drain, framed, prefix};
use crate::framing::{FramingError, PREFIX_LEN};

#[test]
fn one_byte_at_a_time_works() {
    let bodies = [vec![], vec![7; 3], vec![], vec![8; 2_000]];
    let mut reader = MessageReader::new();
    let mut read = Vec::new();
    for byte in framed(&bodies) {
        reader.push(Bytes::copy_from_slice(&[byte]));
        read.extend(drain(&mut reader));
    }
    assert_eq!(read, bodies);
    assert_eq!(reader.finish(), Ok(()));
    assert_eq!(reader.buffered(), 0);
}

#[test]
fn large_messages_in_one_chunk_are_slices_of_it() {
    let chunk = Bytes::from(framed(&[vec![1; 10], vec![2; 5_000]]));
    let range = chunk.as_ptr_range();
    let mut reader = MessageReader::new();
    reader.push(chunk);
    for length in [10, 5_000] {
        let payload = reader.next(NO_LIMIT).unwrap().unwrap();
        assert_eq!(payload.reader().chunk().len(), length);
        assert!(range.contains(&payload.reader().chunk().as_ptr()));
    }
}

#[test]
fn little_that_is_left_keeps_no_read_buffer() {
    let bodies = [vec![], vec![2; 900], vec![3; 20]];
    for decodes in [true, false] {
        let buffer = Bytes::from(framed(&bodies));
        let mut reader = MessageReader::new();
        reader.push(buffer.slice(..100));
        reader.push(buffer.slice(100..));
        if decodes {
            assert!(reader.next_message::<()>(NO_LIMIT).unwrap().is_some());
        } else {
            assert!(reader.next(NO_LIMIT).unwrap().is_some());
        }
        assert!(buffer.is_unique());
        assert_eq!(drain(&mut reader), bodies[1..]);
    }
}

#[test]
fn a_message_in_parts_is_one_piece() {
    let bytes = Bytes::from(framed(&[(0..9_000_u32).map(|n| n as u8).collect()]));
    for look in [false, true] {
        let mut reader = MessageReader::new();
        for start in (0..bytes.len()).step_by(2_000) {
            let chunk = bytes.slice(start..bytes.len().min(start + 2_000));
            reader.push(chunk);
            if look && start + 2_000 < bytes.len() {
                assert!(reader.next(NO_LIMIT).unwrap().is_none());
            }
        }
        let payload = reader.next(NO_LIMIT).unwrap().unwrap();
        assert_eq!(payload.reader().chunk(), &bytes[PREFIX_LEN..]);
    }
}

#[test]
fn a_part_of_a_message_does_not_keep_a_read_buffer() {
    for kept in 1..PREFIX_LEN + 1_900 {
        let mut buffer = framed(&[vec![1; 3_000], vec![2; 4_000]]);
        let more = buffer.split_off(PREFIX_LEN + 3_000 + kept);
        let (chunk, more) = (Bytes::from(buffer), Bytes::from(more[..2_000].to_vec()));
        let mut reader = MessageReader::new();
        reader.push(chunk.clone());
        assert_eq!(drain(&mut reader).len(), 1);
        assert!(chunk.is_unique(), "{kept}");
        reader.push(more.clone());
        assert!(drain(&mut reader).is_empty());
        assert!(more.is_unique(), "{kept}");
    }
}

#[test]
fn little_is_reserved_from_a_prefix() {
    let mut reader = MessageReader::new();
    reader.push(prefix(0, u32::MAX));
    assert!(reader.next(NO_LIMIT).unwrap().is_none());
    let mut pushed = 0;
    for length in [3, 10, 200, 5_000, 70_000] {
        reader.push(Bytes::from(vec![7; length]));
        assert!(reader.next(NO_LIMIT).unwrap().is_none());
        pushed += length;
        assert_eq!(reader.buffered(), pushed);
        let most = (pushed * RESERVED).next_multiple_of(4 << 10);
        assert!(reader.gathered.capacity() <= most);
    }
}

#[test]
fn a_stream_that_ends_within_a_message_is_truncated() {
    let bytes = Bytes::from(framed(&[vec![1; 10], vec![2; 10]]));
    for end in 0..bytes.len() {
        let mut reader = MessageReader::new();
        reader.push(bytes.slice(..end));
        drain(&mut reader);
        let body = end % (PREFIX_LEN + 10);
        match reader.finish() {
            Ok(()) => assert_eq!(body, 0),
            Err(FramingError::TruncatedPrefix { received }) => {
                assert_eq!(received, body);
                assert!((1..PREFIX_LEN).contains(&received));
            }
            Err(FramingError::TruncatedBody { received, size }) => {
                assert_eq!((received + PREFIX_LEN, size), (body, 10));
            }
            Err(error) => panic!("{error}"),
        }
    }
}

proptest! {
    #[test]
    fn any_messages_read_back_however_they_are_cut(
        bodies in bodies(),
        cuts in cuts(),
        read_after in prop::collection::vec(any::<bool>(), 1..8),
    ) {
        let mut left = Bytes::from(framed(&bodies));
        let mut reader = MessageReader::new();
        let mut read = Vec::new();
        let mut read_after = read_after.iter().cycle();
        for cut in cuts.iter().chain(&[3]).cycle() {
            if left.is_empty() {
                break;
            }
            reader.push(left.split_to(left.len().min(*cut)));
            if read_after.next() == Some(&true) {
                read.extend(drain(&mut reader));
                let held = reader.front.len() + reader.gathered.len()
                    + reader.rest.iter().map(Bytes::len).sum::<usize>();
                prop_assert_eq!(reader.buffered(), held);
            }
        }
        read.extend(drain(&mut reader));
        prop_assert_eq!(reader.finish(), Ok(()));
        prop_assert_eq!(reader.buffered(), 0);
        prop_assert_eq!(read, bodies);
    }

    #[test]
    fn any_bytes_are_read_or_refused(chunks in prop::collection::vec(prop::collection::vec(0..3_u8, 0..9), 0..20)) {
        let mut reader = MessageReader::new();
        for chunk in chunks {
            reader.push(chunk.into());
            while let Ok(Some(_)) = reader.next(300) {}
        }
        let _ = reader.finish();
    }
}

#[test]
fn a_body_of_one_plain_message_needs_no_reader() {
    let body =
        |flag, length: u8, rest: &[u8]| Bytes::from([&[flag, 0, 0, 0, length], rest].concat());
    let whole = sole_message(body(0, 3, b"abc"), 3).unwrap();
    assert_eq!(whole.reader().chunk(), b"abc");
    assert_eq!(
        sole_message(body(0, 0, b""), 3)
            .unwrap()
            .reader()
            .remaining(),
        0
    );
    for other in [
        Bytes::new(),
        Bytes::from_static(&[0, 0, 0, 0]),
        body(0, 3, b"ab"),
        body(0, 3, b"abc\0"),
        body(0, 4, b"abcd"),
        body(1, 3, b"abc"),
        body(7, 3, b"abc"),
    ] {
        assert_eq!(sole_message(other.clone(), 3).unwrap_err(), other);
    }
}
