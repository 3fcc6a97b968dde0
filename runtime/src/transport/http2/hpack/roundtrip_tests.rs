//! The encoder against the decoder, over many blocks of any fields.

use bytes::BytesMut;
use proptest::prelude::*;

use super::super::field_rules::Traits;
use super::super::fields::Fields;
use super::{Decoder, Encoder, Indexing};

type Pair = (Vec<u8>, Vec<u8>);

/// Names and values that repeat often enough to meet in the table.
fn field() -> impl Strategy<Value = Pair> {
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
    (name, value)
}

/// The same for a field each time, as in earnest.
fn indexing(name: &[u8], value: &[u8]) -> Indexing {
    match (name.len() + value.len()) % 6 {
        0 => Indexing::Never,
        1 => Indexing::Without,
        _ => Indexing::Add,
    }
}

/// Which list comes next, how much of it is common, and the table's new size.
type Step = (prop::sample::Index, usize, Option<usize>);

proptest! {
    /// A few lists, over and over, while the table changes beneath them.
    #[test]
    fn what_is_encoded_decodes(
        lists in prop::collection::vec(prop::collection::vec(field(), 0..12), 1..8),
        steps in prop::collection::vec(
            (any::<prop::sample::Index>(), 0_usize..14, prop::option::weighted(0.05, 0_usize..6000)),
            1..40,
        ),
        ours in 0_usize..6000,
    ) {
        let steps: Vec<Step> = steps;
        let mut encoder = Encoder::new(ours);
        let mut decoder = Decoder::new(6000);
        let mut fields = Fields::default();
        let mut out = BytesMut::new();
        for (list, common, size) in steps {
            let list = list.get(&lists);
            if let Some(size) = size {
                encoder.set_max_table_size(size);
            }
            let mut block = Fields::default();
            for (at, (name, value)) in list.iter().enumerate() {
                if at == common {
                    block.end_common_part();
                }
                block.push(name, value);
            }
            out.clear();
            encoder.block(&block, indexing, &mut out);
            prop_assert_eq!(decoder.decode(&out, usize::MAX, &mut fields), Ok(()));
            let sent: Vec<_> = list.iter().map(|(n, v)| (&n[..], &v[..])).collect();
            prop_assert_eq!(fields.iter().collect::<Vec<_>>(), sent);
            let traits = list.iter().fold(Traits::default(), |traits, (name, value)| {
                traits.followed_by(Traits::of(name, value))
            });
            prop_assert_eq!(fields.traits(), traits);
        }
    }
}
