//! Tests of the Huffman code.

use proptest::prelude::*;

use super::{CODES, Invalid, decode, encode, encoded_len};

fn encoded(text: &[u8]) -> Vec<u8> {
    let mut out = vec![0; encoded_len(text)];
    encode(text, &mut out);
    out
}

fn decoded(input: &[u8]) -> Result<Vec<u8>, Invalid> {
    let mut out = b"kept".to_vec();
    decode(input, &mut out)?;
    assert_eq!(&out[..4], b"kept");
    Ok(out.split_off(4))
}

#[test]
fn codes_are_those_of_appendix_b() {
    for (symbol, bits, len) in [
        (0, 0x1ff8, 13),
        (1, 0x7f_ffd8, 23),
        (10, 0x3fff_fffc, 30),
        (22, 0x3fff_fffe, 30),
        (b' ', 0x14, 6),
        (b'!', 0x3f8, 10),
        (b'#', 0xffa, 12),
        (b'/', 0x18, 6),
        (b'0', 0x0, 5),
        (b'9', 0x1f, 6),
        (b'Z', 0xfd, 8),
        (b'\\', 0x7_fff0, 19),
        (b'a', 0x3, 5),
        (b'z', 0x7b, 7),
        (b'~', 0x1ffd, 13),
        (127, 0xfff_fffc, 28),
        (128, 0xf_ffe6, 20),
        (199, 0x1ff_ffec, 25),
        (249, 0xfff_fffe, 28),
        (254, 0x7ff_fff0, 27),
        (255, 0x3ff_ffee, 26),
    ] {
        let code = CODES[usize::from(symbol)];
        assert_eq!((code.bits, code.len), (bits, len), "symbol {symbol}");
    }
}

#[test]
fn every_octet_survives_in_every_position() {
    for octet in 0..=255 {
        for before in 0..20 {
            let mut text = vec![b'a'; before];
            text.push(octet);
            text.push(b'!');
            assert_eq!(decoded(&encoded(&text)), Ok(text));
        }
    }
    assert_eq!(decoded(b""), Ok(Vec::new()));
}

#[test]
fn padding_must_be_ones() {
    // "0" is 00000.
    assert_eq!(decoded(&[0b0000_0111]), Ok(b"0".to_vec()));
    assert_eq!(decoded(&[0b0000_0110]), Err(Invalid));
    assert_eq!(decoded(&[0b0000_0011]), Err(Invalid));
    assert_eq!(decoded(&[0b0000_0000]), Err(Invalid));
}

#[test]
fn padding_of_an_octet_is_refused() {
    assert_eq!(decoded(&[0xff]), Err(Invalid));
    assert_eq!(decoded(&[0b0000_0111, 0xff]), Err(Invalid));
    assert_eq!(decoded(&[0xff, 0xff]), Err(Invalid));
    // Seven bits are still allowed: "&" is 11111000 and "0" 00000.
    assert_eq!(decoded(&[0b1111_1000, 0b0000_0111]), Ok(b"&0".to_vec()));
    let seven = encoded(b"aaaaa");
    assert_eq!(seven.last().map(|last| last & 0x7f), Some(0x7f));
    assert_eq!(decoded(&seven), Ok(b"aaaaa".to_vec()));
}

#[test]
fn eos_is_refused_wherever_it_stands() {
    assert_eq!(decoded(&[0xff; 4]), Err(Invalid));
    assert_eq!(decoded(&[0xff; 16]), Err(Invalid));
    let mut input = vec![0; 10];
    input.extend([0xff; 4]);
    input.extend([0; 10]);
    assert_eq!(decoded(&input), Err(Invalid));
}

#[test]
fn a_code_cut_short_is_refused() {
    // Octet 10 is 30 bits, 0x3ffffffc.
    assert_eq!(decoded(&[0xff, 0xff, 0xff, 0xf3]), Ok(vec![10]));
    assert_eq!(decoded(&[0xff, 0xff, 0xff]), Err(Invalid));
}

proptest! {
    #[test]
    fn what_is_encoded_decodes(text in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(decoded(&encoded(&text)), Ok(text));
    }

    #[test]
    fn what_decodes_is_the_only_encoding(input in prop::collection::vec(any::<u8>(), 0..40)) {
        if let Ok(text) = decoded(&input) {
            prop_assert_eq!(encoded(&text), input);
        }
    }
}
