//! Tests of the decoder: what it refuses, and what a block may cost.

use proptest::prelude::*;

use super::super::super::error_code::ErrorCode;
use super::super::super::field_rules::{self, BlockKind};
use super::super::super::fields::Fields;
use super::super::Error;
use super::Decoder;

const LIST: usize = 16 * 1024;

fn decode(block: &[u8]) -> Result<Fields, Error> {
    decode_with(&mut Decoder::new(4096), block, LIST)
}

fn decode_with(decoder: &mut Decoder, block: &[u8], limit: usize) -> Result<Fields, Error> {
    let mut fields = Fields::default();
    decoder.decode(block, limit, &mut fields).map(|()| fields)
}

/// A literal with incremental indexing, without Huffman code.
fn literal(name: &[u8], value: &[u8]) -> Vec<u8> {
    let mut block = vec![0x40];
    for text in [name, value] {
        let mut out = bytes::BytesMut::new();
        super::integer::encode(0, 7, text.len(), &mut out);
        block.extend_from_slice(&out);
        block.extend_from_slice(text);
    }
    block
}

/// A literal without a name, whose value is in Huffman code.
fn huffman_literal(value: &[u8]) -> Vec<u8> {
    let mut out = bytes::BytesMut::from(&[0x00, 0x00][..]);
    let len = super::huffman::encoded_len(value);
    super::integer::encode(0x80, 7, len, &mut out);
    let start = out.len();
    out.resize(start + len, 0);
    super::huffman::encode(value, &mut out[start..]);
    out.to_vec()
}

#[test]
fn an_empty_block_is_an_empty_list() {
    assert_eq!(decode(&[]).unwrap().iter().len(), 0);
}

#[test]
fn what_was_in_the_list_before_is_gone() {
    let mut decoder = Decoder::new(4096);
    let mut fields = Fields::default();
    fields.push(b"old", b"field");
    decoder.decode(&[0x82], LIST, &mut fields).unwrap();
    assert_eq!(
        fields.iter().collect::<Vec<_>>(),
        [(&b":method"[..], &b"GET"[..])]
    );
}

#[test]
fn an_unknown_index_is_refused() {
    for block in [
        &[0x80][..],
        &[0xbe],
        &[0xff, 0x00],
        &[0x7f, 0x00, 0x00],
        &[0x0f, 0x2f, 0x00],
    ] {
        assert_eq!(
            decode(block).unwrap_err(),
            Error::UnknownIndex,
            "{block:02x?}"
        );
    }
    let huge = [0xff, 0x80, 0xff, 0xff, 0xff, 0x0f];
    assert_eq!(decode(&huge).unwrap_err(), Error::UnknownIndex);
}

#[test]
fn every_prefix_of_a_field_is_truncated() {
    let block = literal(b"some-name", b"some value");
    for end in 1..block.len() {
        assert_eq!(decode(&block[..end]).unwrap_err(), Error::Truncated);
    }
    assert!(decode(&block).is_ok());
}

#[test]
fn a_length_beyond_the_block_reserves_nothing() {
    let block = [0x40, 0x7f, 0x80, 0xff, 0xff, 0xff, 0x0f, b'a'];
    let mut fields = Fields::default();
    let result = Decoder::new(4096).decode(&block, LIST, &mut fields);
    assert_eq!(result, Err(Error::Truncated));
    assert!(fields.draft().capacity() < 1024);
}

#[test]
fn bad_huffman_is_refused() {
    assert_eq!(
        decode(&[0x40, 0x81, 0xff, 0x00]).unwrap_err(),
        Error::InvalidHuffman
    );
    assert_eq!(
        decode(&[0x41, 0x81, 0x00]).unwrap_err(),
        Error::InvalidHuffman
    );
}

#[test]
fn size_updates_stand_in_front_only_and_within_the_limit() {
    assert!(decode(&[0x20, 0x3f, 0xe1, 0x1f, 0x82]).is_ok());
    assert_eq!(decode(&[0x82, 0x20]).unwrap_err(), Error::InvalidSizeUpdate);
    assert_eq!(
        decode(&[0x3f, 0xe2, 0x1f]).unwrap_err(),
        Error::InvalidSizeUpdate
    );
    let mut larger = Decoder::new(8192);
    assert!(decode_with(&mut larger, &[0x3f, 0xe2, 0x1f], LIST).is_ok());
}

#[test]
fn a_size_update_evicts() {
    let mut decoder = Decoder::new(4096);
    decode_with(&mut decoder, &literal(b"a", b"1"), LIST).unwrap();
    assert!(decode_with(&mut decoder, &[0xbe], LIST).is_ok());
    let result = decode_with(&mut decoder, &[0x20, 0xbe], LIST);
    assert_eq!(result.unwrap_err(), Error::UnknownIndex);
}

#[test]
fn a_lower_limit_binds_the_peer_once_acknowledged() {
    let mut decoder = Decoder::new(100);
    decode_with(&mut decoder, &literal(b"a", &[b'v'; 200]), LIST).unwrap();
    assert!(decode_with(&mut decoder, &[0xbe], LIST).is_ok());
    decoder.settings_acknowledged();
    assert!(decode_with(&mut decoder, &[0x3f, 69, 0x82], LIST).is_ok());
    assert!(decode_with(&mut decoder, &[0x82], LIST).is_ok());
    let above = decode_with(&mut decoder, &[0x3f, 70, 0x82], LIST);
    assert_eq!(above.unwrap_err(), Error::InvalidSizeUpdate);

    let mut decoder = Decoder::new(100);
    decoder.settings_acknowledged();
    let result = decode_with(&mut decoder, &[0x82], LIST);
    assert_eq!(result.unwrap_err(), Error::MissingSizeUpdate);
}

#[test]
fn a_list_over_its_limit_keeps_the_table_right() {
    let mut decoder = Decoder::new(4096);
    let mut block = vec![0x82];
    block.extend(literal(b"x-long", &[b'v'; 400]));
    block.extend(literal(b"x-next", b"n"));
    let fields = decode_with(&mut decoder, &block, 300).unwrap();
    assert!(fields.overflowed());
    assert_eq!(fields.iter().len(), 1);
    assert!(fields.size() <= 300);
    let fields = decode_with(&mut decoder, &[0xbe, 0xbf], LIST).unwrap();
    assert!(!fields.overflowed());
    assert_eq!(fields.get(b"x-next"), Some(&b"n"[..]));
    assert_eq!(fields.get(b"x-long"), Some(&[b'v'; 400][..]));
}

#[test]
fn the_limit_itself_is_allowed() {
    let size = b":methodGET".len() + 32;
    let mut decoder = Decoder::new(4096);
    assert!(
        !decode_with(&mut decoder, &[0x82], size)
            .unwrap()
            .overflowed()
    );
    assert!(
        decode_with(&mut decoder, &[0x82], size - 1)
            .unwrap()
            .overflowed()
    );
}

#[test]
fn a_bomb_of_references_is_stopped() {
    let mut decoder = Decoder::new(4096);
    decode_with(&mut decoder, &literal(b"x", &[b'v'; 4000]), LIST).unwrap();
    let mut fields = Fields::default();
    let result = decoder.decode(&[0xbe; 16 * 1024], LIST, &mut fields);
    assert_eq!(result, Err(Error::ExcessiveList));
    assert_eq!(Error::ExcessiveList.code(), ErrorCode::ENHANCE_YOUR_CALM);
    assert!(fields.size() <= LIST);
}

#[test]
fn a_bomb_of_long_names_is_stopped() {
    let mut decoder = Decoder::new(4096);
    decode_with(&mut decoder, &literal(&[b'n'; 4000], b""), LIST).unwrap();
    let bomb = [0x7e, 0x00].repeat(8 * 1024);
    let mut fields = Fields::default();
    let result = decoder.decode(&bomb, LIST, &mut fields);
    assert_eq!(result, Err(Error::ExcessiveList));
    assert!(fields.draft().capacity() <= 2 * LIST);
}

/// The costliest blocks of 16 KiB known, each in its own decoder. The figure
/// is for an unoptimized build; optimized, each takes below 0.1 ms.
#[test]
fn no_block_costs_much() {
    let reference = literal(b"x", &[b'v'; 4000]);
    let blocks = [
        [0xbe; 16 * 1024].to_vec(),
        [0x82; 16 * 1024].to_vec(),
        [0x20; 16 * 1024].to_vec(),
        [0x3f, 0xe1, 0x1f].repeat(5 * 1024),
        [0x40, 0x00, 0x00].repeat(5 * 1024),
        [0x7e, 0x00].repeat(8 * 1024),
        // Huffman strings of the shortest codes, and of the longest.
        huffman_literal(&b"0".repeat(26_000)),
        huffman_literal(&b"\n".repeat(4300)),
    ];
    for block in blocks {
        // The best of a few, so that a busy machine does not count.
        let spent = (0..5).map(|_| {
            let mut decoder = Decoder::new(4096);
            decode_with(&mut decoder, &reference, LIST).unwrap();
            let begin = std::time::Instant::now();
            let _ = decode_with(&mut decoder, &block, LIST);
            begin.elapsed()
        });
        let spent = spent.min().unwrap();
        assert!(spent.as_millis() < 10, "{:02x?}: {spent:?}", &block[..3]);
    }
}

fn is_malformed(fields: &Fields) -> bool {
    field_rules::check(fields.traits(), true, BlockKind::Request).is_err()
}

#[test]
fn octets_no_field_may_have_are_reported() {
    for (name, value) in [
        (&b"Upper"[..], &b"v"[..]),
        (b"", b"v"),
        (b":", b"v"),
        (b"a:b", b"v"),
        (b"::a", b"v"),
        (b"a b", b"v"),
        (b"a\x7f", b"v"),
        (b"a(b)", b"v"),
        (b"\xc3\xa9", b"v"),
        (b"a", b"\0"),
        (b"a", b"x\ry"),
        (b"a", b"x\n"),
    ] {
        let mut decoder = Decoder::new(4096);
        let fields = decode_with(&mut decoder, &literal(name, value), LIST).unwrap();
        assert!(is_malformed(&fields), "{name:?} {value:?}");
        assert_eq!(fields.iter().len(), 1);
        let again = decode_with(&mut decoder, &[0xbe], LIST).unwrap();
        assert!(is_malformed(&again), "{name:?} {value:?} by index");
        let other = decode_with(&mut decoder, &[0x82], LIST).unwrap();
        assert!(!is_malformed(&other));
    }
    for (name, value) in [
        (&b":path"[..], &b"/"[..]),
        (b"a-b_c.d~1", b" caf\xc3\xa9\t"),
        (b"a", b""),
    ] {
        let fields = decode(&literal(name, value)).unwrap();
        assert!(!is_malformed(&fields), "{name:?} {value:?}");
    }
}

#[test]
fn a_warm_decoder_does_not_grow() {
    let mut decoder = Decoder::new(4096);
    let mut fields = Fields::default();
    let mut settled = 0;
    for n in 0..10_000_u32 {
        let block = literal(b"grpc-timeout", &n.to_le_bytes());
        decoder.decode(&block, LIST, &mut fields).unwrap();
        if n == 5_000 {
            settled = fields.draft().capacity();
        }
    }
    assert_eq!(fields.draft().capacity(), settled);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn never_panics_and_never_exceeds_the_limit(
        blocks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..100), 1..8),
        limit in 0_usize..2000,
    ) {
        let mut decoder = Decoder::new(300);
        for block in blocks {
            let mut fields = Fields::default();
            if decoder.decode(&block, limit, &mut fields).is_err() {
                break;
            }
            prop_assert!(fields.size() <= limit);
        }
    }
}
