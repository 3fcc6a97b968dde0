//! Tests of the dynamic table.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::{DynamicTable, ENTRY_OVERHEAD, Traits};

const PROPER: Traits = Traits::of(b"a", b"1");
const BROKEN: Traits = Traits::of(b"A", b"1");

fn split(table: &DynamicTable, age: usize) -> Option<(&[u8], &[u8])> {
    table
        .get(age)
        .map(|field| field.text.split_at(field.name_len))
}

#[test]
fn the_newest_entry_comes_first() {
    let mut table = DynamicTable::new(4096);
    assert!(table.get(0).is_none());
    assert!(table.insert(b"a", b"1", PROPER));
    assert!(table.insert(b"b", b"2", BROKEN));
    assert_eq!(split(&table, 0), Some((&b"b"[..], &b"2"[..])));
    assert_eq!(split(&table, 1), Some((&b"a"[..], &b"1"[..])));
    assert!(table.get(2).is_none());
    assert!(table.get(usize::MAX).is_none());
    assert_eq!(table.get(0).unwrap().traits, BROKEN);
    assert_eq!(table.get(1).unwrap().traits, PROPER);
    assert_eq!((table.len(), table.inserted()), (2, 2));
}

#[test]
fn an_entry_that_exactly_fits_evicts_the_rest() {
    let mut table = DynamicTable::new(100);
    assert!(table.insert(b"a", b"1", PROPER));
    assert!(table.insert(b"b", b"2", PROPER));
    assert!(table.insert(&[b'n'; 34], &[b'v'; 34], PROPER));
    assert_eq!(table.len(), 1);
    assert_eq!(table.size, 100);
}

#[test]
fn an_entry_too_large_empties_the_table() {
    let mut table = DynamicTable::new(100);
    assert!(table.insert(b"a", b"1", PROPER));
    assert!(!table.insert(&[b'n'; 34], &[b'v'; 35], PROPER));
    assert_eq!((table.len(), table.size), (0, 0));
    assert!(table.insert(b"b", b"2", PROPER));
    assert_eq!(split(&table, 0), Some((&b"b"[..], &b"2"[..])));
}

#[test]
fn a_lower_limit_evicts_the_oldest() {
    let mut table = DynamicTable::new(4096);
    for name in [b"a", b"b", b"c"] {
        table.insert(name, b"", PROPER);
    }
    table.set_max_size(70);
    assert_eq!(table.len(), 2);
    assert_eq!(split(&table, 1), Some((&b"b"[..], &b""[..])));
    table.set_max_size(0);
    assert_eq!(table.len(), 0);
    assert!(!table.insert(b"", b"", PROPER));
    table.set_max_size(4096);
    assert!(table.insert(b"", b"", PROPER));
}

/// Whatever may move an entry: a memory of indices must be able to tell.
#[test]
fn every_change_shows() {
    let mut table = DynamicTable::new(100);
    let mut seen = vec![table.changes()];
    table.insert(b"a", b"1", PROPER);
    seen.push(table.changes());
    table.insert(&[b'n'; 100], b"too large", PROPER);
    seen.push(table.changes());
    table.set_max_size(50);
    seen.push(table.changes());
    assert!(
        seen.is_sorted_by(|before, after| before < after),
        "{seen:?}"
    );
}

#[test]
fn memory_stays_bounded_and_settles() {
    let mut table = DynamicTable::new(4096);
    let mut settled = None;
    for n in 0..100_000_usize {
        let value = vec![b'v'; n * 31 % 300];
        table.insert(b"name", &value, PROPER);
        if n == 50_000 {
            settled = Some((table.bytes.capacity(), table.entries.capacity()));
        }
    }
    let now = (table.bytes.capacity(), table.entries.capacity());
    assert_eq!(settled, Some(now));
    assert!(now.0 <= 4 * 4096, "{now:?}");
    assert!(now.1 <= 4 * 128, "{now:?}");
}

proptest! {
    /// Against the section 4 rules, written as plainly as possible.
    #[test]
    fn behaves_as_a_plain_queue(
        steps in prop::collection::vec((0_usize..80, 0_usize..80, prop::option::weighted(0.1, 0_usize..600)), 1..300)
    ) {
        let mut table = DynamicTable::new(300);
        let mut plain: VecDeque<(Vec<u8>, Vec<u8>)> = VecDeque::new();
        let mut max = 300;
        for (n, (name_len, value_len, new_max)) in steps.into_iter().enumerate() {
            if let Some(new_max) = new_max {
                max = new_max;
                table.set_max_size(max);
            }
            let name = vec![n as u8; name_len];
            let value = vec![!n as u8; value_len];
            table.insert(&name, &value, PROPER);
            plain.push_front((name, value));
            while plain.iter().map(|(n, v)| n.len() + v.len() + ENTRY_OVERHEAD).sum::<usize>() > max {
                plain.pop_back();
            }
            prop_assert_eq!(table.len(), plain.len());
            for (age, (name, value)) in plain.iter().enumerate() {
                prop_assert_eq!(split(&table, age), Some((&name[..], &value[..])));
            }
        }
    }
}
