//! Tests of prefixed integers, with RFC 7541 appendix C.1.

use bytes::BytesMut;
use proptest::prelude::*;

use super::super::Error;
use super::{decode, encode};

fn encoded(prefix_bits: u32, value: usize) -> Vec<u8> {
    let mut out = BytesMut::new();
    encode(0, prefix_bits, value, &mut out);
    out.to_vec()
}

fn decoded(prefix_bits: u32, octets: &[u8]) -> Result<(usize, usize), Error> {
    let (&first, mut rest) = octets.split_first().ok_or(Error::Truncated)?;
    let value = decode(first, prefix_bits, &mut rest)?;
    Ok((value, rest.len()))
}

#[test]
fn appendix_c_1() {
    for (prefix_bits, value, octets) in [
        (5, 10, &[0x0a][..]),
        (5, 1337, &[0x1f, 0x9a, 0x0a]),
        (8, 42, &[0x2a]),
    ] {
        assert_eq!(encoded(prefix_bits, value), octets);
        assert_eq!(decoded(prefix_bits, octets), Ok((value, 0)));
    }
}

#[test]
fn bits_above_the_prefix_are_kept_and_ignored() {
    let mut out = BytesMut::new();
    encode(0x80, 7, 3, &mut out);
    encode(0x40, 6, 62, &mut out);
    encode(0x40, 6, 63, &mut out);
    assert_eq!(&out[..], [0x83, 0x7e, 0x7f, 0x00]);
    assert_eq!(decoded(7, &[0x83, 0xff]), Ok((3, 1)));
    assert_eq!(decoded(6, &[0x7f, 0x00]), Ok((63, 0)));
}

#[test]
fn an_integer_cut_short_is_truncated() {
    assert_eq!(decoded(5, &[0x1f]), Err(Error::Truncated));
    assert_eq!(decoded(5, &[0x1f, 0x80, 0x80]), Err(Error::Truncated));
}

#[test]
fn an_integer_above_32_bits_or_five_octets_is_refused() {
    let max = [0x1f, 0xe0, 0xff, 0xff, 0xff, 0x0f];
    assert_eq!(decoded(5, &max), Ok((u32::MAX as usize, 0)));
    let above = [0x1f, 0xe1, 0xff, 0xff, 0xff, 0x0f];
    assert_eq!(decoded(5, &above), Err(Error::IntegerOverflow));
    let padded = [0x1f, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00];
    assert_eq!(decoded(5, &padded), Err(Error::IntegerOverflow));
    assert_eq!(decoded(8, &[0xff; 64]), Err(Error::IntegerOverflow));
}

proptest! {
    #[test]
    fn what_is_encoded_decodes(prefix_bits in 1_u32..=8, value in any::<u32>()) {
        let octets = encoded(prefix_bits, value as usize);
        prop_assert_eq!(decoded(prefix_bits, &octets), Ok((value as usize, 0)));
    }
}
