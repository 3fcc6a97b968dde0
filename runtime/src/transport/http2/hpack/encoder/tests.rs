//! Tests of the encoder.

use bytes::BytesMut;

use super::super::super::fields::Fields;
use super::super::Decoder;
use super::{Encoder, Indexing};

const LIST: usize = 16 * 1024;

fn block(encoder: &mut Encoder, fields: &[(&str, &str)], indexing: Indexing) -> Vec<u8> {
    let mut out = BytesMut::new();
    let mut list = Fields::default();
    for (name, value) in fields {
        list.push(name.as_bytes(), value.as_bytes());
    }
    encoder.block(&list, |_, _| indexing, &mut out);
    out.to_vec()
}

fn check(decoder: &mut Decoder, block: &[u8], expected: &[(&str, &str)]) {
    let mut fields = Fields::default();
    decoder.decode(block, LIST, &mut fields).unwrap();
    let expected: Vec<_> = expected
        .iter()
        .map(|(n, v)| (n.as_bytes(), v.as_bytes()))
        .collect();
    assert_eq!(fields.iter().collect::<Vec<_>>(), expected);
}

#[test]
fn a_repeated_grpc_answer_takes_three_octets() {
    let mut encoder = Encoder::new(4096);
    let head = [(":status", "200"), ("content-type", "application/grpc")];
    let trailers = [("grpc-status", "0")];
    block(&mut encoder, &head, Indexing::Add);
    block(&mut encoder, &trailers, Indexing::Add);
    assert_eq!(block(&mut encoder, &head, Indexing::Add), [0x88, 0xbf]);
    assert_eq!(block(&mut encoder, &trailers, Indexing::Add), [0xbe]);
}

#[test]
fn a_name_seen_before_is_referred_to() {
    let mut encoder = Encoder::new(4096);
    block(&mut encoder, &[("grpc-status", "0")], Indexing::Add);
    let second = block(&mut encoder, &[("grpc-status", "5")], Indexing::Add);
    assert_eq!(second, [0x7e, 1, b'5']);
    let third = block(&mut encoder, &[("grpc-status", "7")], Indexing::Without);
    assert_eq!(third, [0x0f, 62 - 15, 1, b'7']);
}

#[test]
fn values_that_differ_share_a_name_in_the_table() {
    let mut encoder = Encoder::new(4096);
    let mut decoder = Decoder::new(4096);
    for (value, len) in [("9999u", 16), ("9998u", 7), ("9997u", 7)] {
        let fields = [("grpc-timeout", value)];
        let block = block(&mut encoder, &fields, Indexing::Without);
        check(&mut decoder, &block, &fields);
        assert_eq!((block.len(), encoder.table.len()), (len, 1));
    }
    let known = [(":authority", "a"), ("content-length", "17")];
    block(&mut encoder, &known, Indexing::Without);
    let large = "v".repeat(4096 / 16);
    block(&mut encoder, &[("x-large", &large)], Indexing::Without);
    assert_eq!(encoder.table.len(), 1);
}

#[test]
fn a_secret_leaves_no_trace() {
    let mut encoder = Encoder::new(4096);
    let once = block(&mut encoder, &[("x-secret", "17")], Indexing::Never);
    let again = block(&mut encoder, &[("x-secret", "17")], Indexing::Never);
    assert_eq!(once[0], 0x10);
    assert_eq!(once, again);
    assert_eq!(encoder.table.len(), 0);
}

#[test]
fn a_secret_is_never_sent_by_index() {
    let mut encoder = Encoder::new(4096);
    block(&mut encoder, &[("authorization", "x")], Indexing::Add);
    let secret = block(&mut encoder, &[("authorization", "x")], Indexing::Never);
    assert_eq!(secret, [0x1f, 23 - 15, 1, b'x']);
    let status = block(&mut encoder, &[(":status", "200")], Indexing::Never);
    assert_eq!(status[0], 0x18);
}

#[test]
fn without_still_uses_the_static_table() {
    let mut encoder = Encoder::new(4096);
    assert_eq!(
        block(&mut encoder, &[(":method", "POST")], Indexing::Without),
        [0x83]
    );
}

#[test]
fn a_smaller_table_is_announced_in_the_first_block() {
    let mut encoder = Encoder::new(100);
    let first = block(&mut encoder, &[(":method", "POST")], Indexing::Add);
    assert_eq!(first, [0x3f, 100 - 31, 0x83]);
    assert_eq!(
        block(&mut encoder, &[(":method", "POST")], Indexing::Add),
        [0x83]
    );
}

#[test]
fn size_changes_announce_the_smallest_and_the_last() {
    let mut encoder = Encoder::new(4096);
    block(&mut encoder, &[("a", "1")], Indexing::Add);
    encoder.set_max_table_size(1000);
    encoder.set_max_table_size(0);
    encoder.set_max_table_size(1 << 20);
    assert_eq!(encoder.table.max_size(), 4096);
    let next = block(&mut encoder, &[("a", "1")], Indexing::Add);
    assert_eq!(next[..4], [0x20, 0x3f, 0xe1, 0x1f]);
    assert_eq!(next[4], 0x40);
    encoder.set_max_table_size(4096);
    assert_eq!(block(&mut encoder, &[("a", "1")], Indexing::Add), [0xbe]);
}

#[test]
fn a_table_of_size_zero_is_no_hindrance() {
    let mut encoder = Encoder::new(0);
    let mut decoder = Decoder::new(0);
    let fields = [(":path", "/a.B/C"), ("x", "y"), ("x", "y")];
    for _ in 0..3 {
        let block = block(&mut encoder, &fields, Indexing::Add);
        check(&mut decoder, &block, &fields);
    }
}

#[test]
fn a_field_that_would_flush_the_table_stays_out() {
    let mut encoder = Encoder::new(4096);
    block(&mut encoder, &[("a", "1")], Indexing::Add);
    let large = "v".repeat(3500);
    block(&mut encoder, &[("b", &large)], Indexing::Add);
    assert_eq!(block(&mut encoder, &[("a", "1")], Indexing::Add), [0xbe]);
}

#[test]
fn stays_in_step_with_the_decoder_under_eviction() {
    let mut encoder = Encoder::new(4096);
    let mut decoder = Decoder::new(4096);
    let mut referred = 0;
    for n in 0..20_000_usize {
        let value = format!("value {}", n * n % 97);
        let unique = format!("unique {n}");
        let name = format!("name-{}", n % 13);
        let fields = [
            (":path", "/example.HelloService/SayHello"),
            (&name[..], &value[..]),
            ("x-unique", &unique[..]),
        ];
        if n % 1000 == 999 {
            encoder.set_max_table_size(n % 4000);
        }
        let block = block(&mut encoder, &fields, Indexing::Add);
        referred += usize::from(block[0] & 0x80 != 0);
        check(&mut decoder, &block, &fields);
    }
    assert!(referred > 18_000, "{referred}");
}

/// The part that comes again is found as a whole, whatever follows it.
#[test]
fn a_common_part_stands_before_fields_that_differ() {
    let (mut encoder, mut decoder) = (Encoder::new(4096), Decoder::new(4096));
    for n in 0..5 {
        let timeout = format!("{n}S");
        let mut list = Fields::default();
        list.push(b":path", b"/example.HelloService/SayHello");
        list.push(b"te", b"trailers");
        list.end_common_part();
        list.push(b"grpc-timeout", timeout.as_bytes());
        let mut out = BytesMut::new();
        let indexing = |name: &[u8], _: &[u8]| match name {
            b"grpc-timeout" => Indexing::Without,
            _ => Indexing::Add,
        };
        encoder.block(&list, indexing, &mut out);
        assert!(n == 0 || out.len() < 8, "{out:02x?}");
        let mut fields = Fields::default();
        decoder.decode(&out, LIST, &mut fields).unwrap();
        assert!(fields.iter().eq(list.iter()));
    }
}

#[test]
fn memory_settles() {
    let mut encoder = Encoder::new(4096);
    let mut out = BytesMut::with_capacity(1024);
    for n in 0..10_000_u32 {
        out.clear();
        encoder.field(b"name", &n.to_le_bytes(), Indexing::Add, &mut out);
    }
    // 4,096 octets hold 102 entries of 40.
    assert_eq!(encoder.table.len(), 102);
    assert!(!encoder.index.is_crowded(102));
}
