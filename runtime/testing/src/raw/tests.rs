//! Unit tests of `raw`.

use super::*;

#[test]
fn bytes_that_are_no_protobuf_pass_both_ways() {
    let bytes: &[u8] = &[0xff, 0xff, 0];
    let raw = Raw::decode(bytes).unwrap();
    assert_eq!(raw.0, bytes);
    assert_eq!(raw.encode_to_vec(), bytes);
}
