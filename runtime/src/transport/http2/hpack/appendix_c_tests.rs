//! The examples of RFC 7541 appendix C.2 to C.6, read and written.

use bytes::BytesMut;

use super::super::fields::Fields;
use super::{Decoder, Encoder, Indexing};

type List = [(&'static str, &'static str)];

fn octets(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex
        .bytes()
        .filter(u8::is_ascii_hexdigit)
        .map(|digit| char::from(digit).to_digit(16).unwrap() as u8)
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

fn check(decoder: &mut Decoder, hex: &str, expected: &List) {
    let mut fields = Fields::default();
    decoder.decode(&octets(hex), 4096, &mut fields).unwrap();
    let expected: Vec<_> = expected
        .iter()
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
        .collect();
    assert_eq!(fields.iter().collect::<Vec<_>>(), expected);
    assert!(!fields.overflowed());
}

fn written(encoder: &mut Encoder, list: &List, indexing: Indexing) -> Vec<u8> {
    let mut out = BytesMut::new();
    let mut fields = Fields::default();
    for (name, value) in list {
        fields.push(name.as_bytes(), value.as_bytes());
    }
    encoder.block(&fields, |_, _| indexing, &mut out);
    out.to_vec()
}

/// A decoder or encoder of 256 octets, as C.5 and C.6 have it: agreed on
/// beforehand, so the size update is sent apart.
fn small_decoder() -> Decoder {
    let mut decoder = Decoder::new(256);
    check(&mut decoder, "3fe1 01", &[]);
    decoder
}

fn small_encoder() -> Encoder {
    let mut encoder = Encoder::new(256);
    assert_eq!(written(&mut encoder, &[], Indexing::Add), octets("3fe1 01"));
    encoder
}

#[test]
fn c_2_single_fields() {
    for (hex, name, value, entries) in [
        (
            "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572",
            "custom-key",
            "custom-header",
            true,
        ),
        (
            "040c 2f73 616d 706c 652f 7061 7468",
            ":path",
            "/sample/path",
            false,
        ),
        (
            "1008 7061 7373 776f 7264 0673 6563 7265 74",
            "password",
            "secret",
            false,
        ),
        ("82", ":method", "GET", false),
    ] {
        let mut decoder = Decoder::new(4096);
        let mut fields = Fields::default();
        decoder.decode(&octets(hex), 4096, &mut fields).unwrap();
        assert_eq!(
            fields.iter().collect::<Vec<_>>(),
            [(name.as_bytes(), value.as_bytes())]
        );
        let in_table = decoder.decode(&[0xbe], 4096, &mut fields).is_ok();
        assert_eq!(in_table, entries);
    }
}

const REQUESTS: [&List; 3] = [
    &[
        (":method", "GET"),
        (":scheme", "http"),
        (":path", "/"),
        (":authority", "www.example.com"),
    ],
    &[
        (":method", "GET"),
        (":scheme", "http"),
        (":path", "/"),
        (":authority", "www.example.com"),
        ("cache-control", "no-cache"),
    ],
    &[
        (":method", "GET"),
        (":scheme", "https"),
        (":path", "/index.html"),
        (":authority", "www.example.com"),
        ("custom-key", "custom-value"),
    ],
];

const RESPONSES: [&List; 3] = [
    &[
        (":status", "302"),
        ("cache-control", "private"),
        ("date", "Mon, 21 Oct 2013 20:13:21 GMT"),
        ("location", "https://www.example.com"),
    ],
    &[
        (":status", "307"),
        ("cache-control", "private"),
        ("date", "Mon, 21 Oct 2013 20:13:21 GMT"),
        ("location", "https://www.example.com"),
    ],
    &[
        (":status", "200"),
        ("cache-control", "private"),
        ("date", "Mon, 21 Oct 2013 20:13:22 GMT"),
        ("location", "https://www.example.com"),
        ("content-encoding", "gzip"),
        (
            "set-cookie",
            "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
        ),
    ],
];

#[test]
fn c_3_requests() {
    let blocks = [
        "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
        "8286 84be 5808 6e6f 2d63 6163 6865",
        "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
    ];
    let mut decoder = Decoder::new(4096);
    for (hex, list) in blocks.into_iter().zip(REQUESTS) {
        check(&mut decoder, hex, list);
    }
}

#[test]
fn c_4_requests_with_huffman_code() {
    let blocks = [
        "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
        "8286 84be 5886 a8eb 1064 9cbf",
        "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
    ];
    let mut decoder = Decoder::new(4096);
    let mut encoder = Encoder::new(4096);
    for (hex, list) in blocks.into_iter().zip(REQUESTS) {
        check(&mut decoder, hex, list);
        assert_eq!(written(&mut encoder, list, Indexing::Add), octets(hex));
    }
}

#[test]
fn c_5_responses() {
    let blocks = [
        "4803 3330 3258 0770 7269 7661 7465 611d
         4d6f 6e2c 2032 3120 4f63 7420 3230 3133
         2032 303a 3133 3a32 3120 474d 546e 1768
         7474 7073 3a2f 2f77 7777 2e65 7861 6d70
         6c65 2e63 6f6d",
        "4803 3330 37c1 c0bf",
        "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420
         3230 3133 2032 303a 3133 3a32 3220 474d
         54c0 5a04 677a 6970 7738 666f 6f3d 4153
         444a 4b48 514b 425a 584f 5157 454f 5049
         5541 5851 5745 4f49 553b 206d 6178 2d61
         6765 3d33 3630 303b 2076 6572 7369 6f6e
         3d31",
    ];
    let mut decoder = small_decoder();
    for (hex, list) in blocks.into_iter().zip(RESPONSES) {
        check(&mut decoder, hex, list);
    }
}

#[test]
fn c_6_responses_with_huffman_code() {
    let blocks = [
        "4882 6402 5885 aec3 771a 4b61 96d0 7abe
         9410 54d4 44a8 2005 9504 0b81 66e0 82a6
         2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8
         e9ae 82ae 43d3",
        "4883 640e ffc1 c0bf",
        "88c1 6196 d07a be94 1054 d444 a820 0595
         040b 8166 e084 a62d 1bff c05a 839b d9ab
         77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b
         3960 d5af 2708 7f36 72c1 ab27 0fb5 291f
         9587 3160 65c0 03ed 4ee5 b106 3d50 07",
    ];
    let mut decoder = small_decoder();
    let mut encoder = small_encoder();
    for (hex, list) in blocks.into_iter().zip(RESPONSES) {
        check(&mut decoder, hex, list);
        // "307" takes three octets either way, and ours then leaves it plain.
        let expected = hex.replace("83 640e ff", "03 3330 37");
        assert_eq!(
            written(&mut encoder, list, Indexing::Add),
            octets(&expected)
        );
    }
}
