//! Bodies through every encoding and back, and bodies that no encoder made.

use bytes::Bytes;
use proptest::prelude::*;

use super::{Compression, Encodings, compress};
use crate::code::Code;
use crate::framing::tests::{NO_LIMIT, content, framed};
use crate::framing::{
    FramingError, MessageReader, PREFIX_LEN, Payload, Side, compress_message, decode_message,
};

/// All but identity.
fn encodings() -> impl Iterator<Item = Compression> {
    Compression::ALL.iter().copied().skip(1)
}

/// The one message in `bytes`, as it would be read from the wire.
fn read(
    compression: Compression,
    chunks: impl IntoIterator<Item = Bytes>,
    limit: usize,
) -> Result<Payload, FramingError> {
    let mut reader = MessageReader::new();
    reader.set_encoding(compression);
    for chunk in chunks {
        reader.push(chunk);
    }
    let payload = reader.next(limit)?.unwrap();
    assert!(reader.next(limit)?.is_none());
    Ok(payload)
}

fn decompress(compression: Compression, body: &[u8], limit: usize) -> Result<Bytes, FramingError> {
    let payload = Payload::from(Bytes::copy_from_slice(body)).compressed(compression, limit);
    Ok(content(&super::decompress(&payload)?).into())
}

fn compressed(compression: Compression, body: &[u8]) -> Bytes {
    let framed = compress(compression, body).unwrap();
    assert_eq!(framed[0], 1);
    framed.slice(PREFIX_LEN..)
}

fn assert_refused(result: Result<Bytes, FramingError>, part: &str) {
    let status = result.unwrap_err().into_status(Side::Server);
    assert_eq!(status.code(), Code::Internal);
    assert!(status.message().contains(part), "{part} in {status}");
}

/// What repeats itself somewhat.
fn text(length: usize) -> Vec<u8> {
    let words = (0_u64..).map(|n| format!("word {} ", n * n % 1_009));
    words.flat_map(String::into_bytes).take(length).collect()
}

#[test]
fn names_are_read_whatever_their_case_and_unknown_ones_passed_over() {
    let mut some = Encodings::default();
    some.add_listed(b" GZip,br;q=1 ,, identity");
    some.add_listed(b"snappy");
    assert!(some.contains(Compression::Identity));
    assert!(some.read(b"br").is_err());
    assert_eq!(some.read(b"Identity"), Ok(Compression::Identity));
    for known in Compression::ALL {
        let expected = matches!(known.name(), "identity" | "gzip");
        assert_eq!(some.contains(*known), expected);
        assert!(Encodings::all().contains(*known));
        assert_eq!(
            Compression::from_name(known.name().as_bytes()),
            Some(*known)
        );
    }
    let mut all = Encodings::default();
    all.add_listed(Encodings::all().list().as_bytes());
    assert_eq!(all, Encodings::all());
    assert!(Encodings::default().is_plain());
    assert_eq!(Encodings::default().list(), "identity");
    let text = Encodings::default().read(b"br\xff").unwrap_err();
    assert_eq!(
        text,
        "the peer compresses with 'br\\xff'; this side takes: identity"
    );
}

#[test]
fn an_empty_message_stays_empty() {
    for compression in Compression::ALL {
        let empty = compress(*compression, b"").unwrap();
        assert_eq!(empty[..], [0; PREFIX_LEN]);
    }
}

#[test]
fn only_a_compressed_message_says_so() {
    for compression in encodings() {
        let mut reader = MessageReader::new();
        reader.set_encoding(compression);
        reader.push(compress(compression, b"one").unwrap());
        reader.push(framed(&[b"two".to_vec()]).into());
        let one = reader.next(NO_LIMIT).unwrap().unwrap();
        let two = reader.next(NO_LIMIT).unwrap().unwrap();
        assert!(one.is_compressed() && !two.is_compressed());
        assert_eq!(content(&super::decompress(&one).unwrap()), b"one");
        assert_eq!(content(&two), b"two");
    }
}

#[test]
fn a_message_is_held_to_its_limit_before_it_is_compressed() {
    let message = "x".repeat(1_000);
    for compression in encodings() {
        let size = prost::Message::encoded_len(&message);
        let (framed, plain) = compress_message(&message, size, compression).unwrap();
        assert_eq!(plain, size + PREFIX_LEN);
        assert!(framed.len() < 100);
        let payload = read(compression, [framed], NO_LIMIT).unwrap();
        let (decoded, decompressed) = decode_message::<String>(payload).unwrap();
        assert_eq!((decoded.as_str(), decompressed), (message.as_str(), size));
        let error = compress_message(&message, size - 1, compression).unwrap_err();
        assert!(matches!(error, FramingError::SendTooLarge { .. }));
    }
}

#[test]
fn the_limit_is_that_of_the_decompressed_message() {
    for compression in encodings() {
        for length in [1, 511, 512, 513, 100_000] {
            let body = compressed(compression, &vec![0; length]);
            let whole = decompress(compression, &body, length).unwrap();
            assert_eq!(whole.len(), length);
            let error = decompress(compression, &body, length - 1).unwrap_err();
            let limit = length - 1;
            let expected = FramingError::InflateTooLarge { compression, limit };
            assert_eq!(error, expected);
        }
    }
}

#[test]
fn a_bomb_is_resource_exhausted_and_takes_little_memory() {
    let limit = 100_000;
    for compression in encodings() {
        let bomb = compressed(compression, &vec![0; 16 << 20]);
        let payload = Payload::from(bomb.clone());
        let reader = payload.reader();
        let mut out = super::inflated::Inflated::new(bomb.len(), limit);
        let codec = compression.codec().unwrap();
        (codec.decompress)(reader, &mut out).unwrap_err();
        assert!(out.reserved() <= limit + 1);
        let status = decompress(compression, &bomb, limit)
            .unwrap_err()
            .into_status(Side::Client);
        assert_eq!(status.code(), Code::ResourceExhausted);
        let message = status.message();
        for part in [
            "the client",
            "100000 bytes",
            "max_receive_message_size",
            compression.name(),
        ] {
            assert!(message.contains(part), "{part} in {status}");
        }
    }
}

#[test]
fn what_is_cut_off_is_refused_wherever_it_is_cut() {
    for compression in encodings() {
        let body = compressed(compression, &text(300));
        for end in 0..body.len() {
            assert_refused(
                decompress(compression, &body[..end], NO_LIMIT),
                "it ends before",
            );
        }
    }
}

#[test]
fn what_follows_the_end_is_refused() {
    for compression in encodings() {
        let mut body = compressed(compression, b"hello").to_vec();
        body.extend_from_slice(b"garbage");
        let part = if compression.name() == "zstd" {
            "Unknown frame descriptor"
        } else {
            "7 bytes follow the end"
        };
        assert_refused(decompress(compression, &body, NO_LIMIT), part);
    }
}

#[test]
fn what_no_encoder_made_is_refused() {
    for compression in encodings() {
        let part = format!("not {compression}: ");
        for bytes in [&b"no encoder made this"[..], &[0; 40], &[255; 40]] {
            assert_refused(decompress(compression, bytes, NO_LIMIT), &part);
        }
    }
}

#[cfg(feature = "compression")]
mod gzip {
    use super::*;

    const GZIP: Compression = Compression::Gzip;

    #[test]
    fn members_one_after_the_other_are_one_message() {
        let parts: [&[u8]; 4] = [b"one, ", b"", b"two, ", b"three"];
        let mut body = Vec::new();
        for part in parts {
            let mut member = vec![0; PREFIX_LEN];
            (super::super::deflate::GZIP.compress)(part, &mut member).unwrap();
            body.extend_from_slice(&member[PREFIX_LEN..]);
        }
        assert_eq!(decompress(GZIP, &body, 100).unwrap(), "one, two, three");
        // The limit counts all of them.
        let error = decompress(GZIP, &body, 14).unwrap_err();
        assert!(matches!(error, FramingError::InflateTooLarge { .. }));
    }

    #[test]
    fn every_field_that_a_header_may_have_is_passed_over() {
        let plain = compressed(GZIP, b"hello");
        for flags in 0..32_u8 {
            let mut body = vec![0x1f, 0x8b, 8, flags, 1, 2, 3, 4, 2, 255];
            if flags & 4 != 0 {
                body.extend_from_slice(&[3, 0, 7, 7, 7]);
            }
            if flags & 8 != 0 {
                body.extend_from_slice(b"name\0");
            }
            if flags & 16 != 0 {
                body.extend_from_slice(b"comment\0");
            }
            if flags & 2 != 0 {
                body.extend_from_slice(&[9, 9]);
            }
            body.extend_from_slice(&plain[10..]);
            assert_eq!(decompress(GZIP, &body, 5).unwrap(), "hello", "{flags}");
            for end in 0..body.len() {
                assert_refused(decompress(GZIP, &body[..end], 5), "it ends before");
            }
        }
        for (at, byte) in [(0, 0), (1, 0), (2, 7), (3, 0x20), (3, 0x80)] {
            let mut body = plain.to_vec();
            body[at] = byte;
            assert_refused(decompress(GZIP, &body, 5), "gzip");
        }
    }

    #[test]
    fn checksum_and_length_are_checked() {
        let plain = compressed(GZIP, b"hello");
        for (from_end, part) in [(8, "checksum"), (4, "length")] {
            let mut body = plain.to_vec();
            let at = body.len() - from_end;
            body[at] ^= 1;
            assert_refused(decompress(GZIP, &body, 5), part);
        }
    }

    #[test]
    fn deflate_is_zlibs_format_and_not_bare() {
        let body = compressed(Compression::Deflate, b"hello");
        // CMF and FLG (RFC 1950 section 2.2): 32 KiB of window, the usual level.
        assert_eq!(body[..2], [0x78, 0x9c]);
        let bare = decompress(Compression::Deflate, &body[2..], 100);
        assert_refused(bare, "not deflate");
        let mut dictionary = body.to_vec();
        dictionary[..2].copy_from_slice(&[0x78, 0xbb]);
        dictionary.splice(2..2, [1, 2, 3, 4]);
        let wanted = decompress(Compression::Deflate, &dictionary, 100);
        assert_refused(wanted, "preset dictionary");
    }
}

#[cfg(feature = "zstd")]
#[test]
fn a_frame_that_claims_a_large_window_gets_none() {
    // RFC 8878 section 3.1.1.1: magic, a descriptor with nothing in it, and a
    // window of 2^(10 + 31) bytes, or of 16 MiB.
    for window in [31 << 3, 14 << 3] {
        let frame = [0x28, 0xb5, 0x2f, 0xfd, 0, window, 1, 0, 0];
        let refused = decompress(Compression::Zstd, &frame, NO_LIMIT);
        assert_refused(refused, "requires too much memory");
    }
}

#[cfg(feature = "zstd")]
#[test]
fn large_zstd_messages_pass() {
    let body = text(20 << 20);
    let small = compressed(Compression::Zstd, &body);
    let whole = decompress(Compression::Zstd, &small, body.len()).unwrap();
    assert!(whole == body);
}

fn any_body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        3 => prop::collection::vec(any::<u8>(), 0..3_000),
        3 => prop::collection::vec(0..3_u8, 0..9_000),
        1 => (0..700_000_usize).prop_map(text),
    ]
}

proptest! {
    #[test]
    fn any_body_comes_back_however_it_is_cut(body in any_body(), cut in 1..5_000_usize) {
        for compression in encodings() {
            let mut left = compress(compression, &body).unwrap();
            let mut chunks = Vec::new();
            while !left.is_empty() {
                chunks.push(left.split_to(left.len().min(cut)));
            }
            let mut payload = read(compression, chunks, NO_LIMIT).unwrap();
            prop_assert_eq!(payload.is_compressed(), !body.is_empty());
            if payload.is_compressed() {
                payload = super::decompress(&payload).unwrap();
            }
            prop_assert!(content(&payload) == body);
        }
    }

    #[test]
    fn a_broken_body_is_refused_or_harmless(
        body in prop::collection::vec(0..9_u8, 1..600),
        at in any::<prop::sample::Index>(),
        flip in 1..=255_u8,
    ) {
        for compression in encodings() {
            let mut broken = compressed(compression, &body).to_vec();
            let at = at.index(broken.len());
            broken[at] ^= flip;
            match decompress(compression, &broken, 10_000) {
                // Adler-32 is weak on short bodies, and these zstd frames have no
                // checksum: gzip's alone is sure.
                Ok(read) => prop_assert!(compression.name() != "gzip" || read == body),
                Err(error) => {
                    let code = error.into_status(Side::Client).code();
                    prop_assert!(matches!(code, Code::Internal | Code::ResourceExhausted));
                }
            }
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for compression in encodings() {
            let _ = decompress(compression, &bytes, 10_000);
            let mut start = compressed(compression, b"start").to_vec();
            start.truncate(4);
            start.extend_from_slice(&bytes);
            let _ = decompress(compression, &start, 10_000);
        }
    }
}
