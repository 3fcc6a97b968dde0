//! The encoder against the decoder, over many blocks of any fields.

use bytes::BytesMut;
use proptest::prelude::*;

use super::super::fields::Fields;
use super::{Decoder, Encoder, Indexing};

type Pair = (Vec<u8>, Vec<u8>);

/// Names and values that repeat often enough to meet in the table.
fn field() -> impl Strategy<Value = (Pair, Indexing)> {
    let name = prop_oneof![
        Just(b":path".to_vec()),
        Just(b":status".to_vec()),
        Just(b"content-type".to_vec()),
        Just(b"grpc-status".to_vec()),
        prop::collection::vec(prop_oneof![Just(b'a'), Just(b'b')], 0..4),
        prop::collection::vec(any::<u8>(), 0..60),
    ];
    let value = prop_oneof![
        Just(b"200".to_vec()),
        Just(Vec::new()),
        prop::collection::vec(prop_oneof![Just(b'x'), Just(b'y')], 0..3),
        prop::collection::vec(any::<u8>(), 0..300),
    ];
    let indexing = prop_oneof![
        4 => Just(Indexing::Add),
        1 => Just(Indexing::Without),
        1 => Just(Indexing::Never),
    ];
    ((name, value), indexing)
}

proptest! {
    #[test]
    fn what_is_encoded_decodes(
        blocks in prop::collection::vec(
            (prop::collection::vec(field(), 0..12), prop::option::weighted(0.2, 0_usize..6000)),
            1..20,
        ),
        ours in 0_usize..6000,
    ) {
        let mut encoder = Encoder::new(ours);
        let mut decoder = Decoder::new(6000);
        let mut fields = Fields::default();
        let mut out = BytesMut::new();
        for (block, size) in blocks {
            if let Some(size) = size {
                encoder.set_max_table_size(size);
            }
            out.clear();
            encoder.begin(&mut out);
            for ((name, value), indexing) in &block {
                encoder.field(name, value, *indexing, &mut out);
            }
            prop_assert_eq!(decoder.decode(&out, usize::MAX, &mut fields), Ok(()));
            let sent: Vec<_> = block.iter().map(|((n, v), _)| (&n[..], &v[..])).collect();
            prop_assert_eq!(fields.iter().collect::<Vec<_>>(), sent);
        }
    }
}
