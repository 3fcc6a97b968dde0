//! Messages of an edition, as bytes: what another implementation would write.

use grpc_runtime::prost::Message;
use grpc_tests::editions::{Encoded, Leaf, encoded};

#[track_caller]
fn assert_bytes(message: &Encoded, expected: &[u8]) {
    assert_eq!(message.encode_to_vec(), expected);
    assert_eq!(Encoded::decode(expected).as_ref(), Ok(message));
}

#[test]
fn presence() {
    // A required field is always written, an implicit one unless it is zero.
    assert_bytes(&Encoded::default(), &[0x18, 0]);
    let zero = Encoded {
        explicit: Some(0),
        implicit: 0,
        ..Encoded::default()
    };
    assert_bytes(&zero, &[0x08, 0, 0x18, 0]);
    let one = Encoded {
        implicit: 1,
        required: 2,
        ..Encoded::default()
    };
    assert_bytes(&one, &[0x10, 1, 0x18, 2]);
}

#[test]
fn lists() {
    let lists = Encoded {
        packed: vec![1, 2],
        expanded: vec![1, 2],
        ..Encoded::default()
    };
    assert_bytes(&lists, &[0x18, 0, 0x22, 2, 1, 2, 0x28, 1, 0x28, 2]);
}

#[test]
fn messages() {
    let inner = || Some(Box::new(Encoded::default()));
    let messages = Encoded {
        delimited: inner(),
        prefixed: inner(),
        choice: Some(encoded::Choice::Leaf(Leaf {})),
        ..Encoded::default()
    };
    // A delimited message stands between a tag that starts it and one that ends
    // it, a prefixed one behind its length.
    assert_bytes(
        &messages,
        &[0x18, 0, 0x33, 0x18, 0, 0x34, 0x3a, 2, 0x18, 0, 0x43, 0x44],
    );
}
