//! Tests of the field list.

use super::*;

#[test]
fn keeps_order_and_duplicates() {
    let mut fields = Fields::default();
    assert_eq!(fields.iter().len(), 0);
    fields.push(b"a", b"1");
    fields.push(b"b", b"");
    fields.push(b"a", b"2");
    let all: Vec<_> = fields.iter().collect();
    let expected: [(&[u8], &[u8]); 3] = [(b"a", b"1"), (b"b", b""), (b"a", b"2")];
    assert_eq!(all, expected);
    assert_eq!(fields.iter().len(), 3);
    assert_eq!(fields.get(b"a"), Some(&b"1"[..]));
    assert_eq!(fields.get(b"c"), None);
}

#[test]
fn counts_size_as_the_rfc_does() {
    let mut fields = Fields::default();
    assert_eq!(fields.size(), 0);
    fields.push(b"name", b"value");
    fields.push_joined(b"xy", 1);
    assert_eq!(fields.size(), 4 + 5 + 32 + 2 + 32);
    assert_eq!(fields.get(b"x"), Some(&b"y"[..]));
}

#[test]
fn clear_takes_everything_back_but_memory() {
    let mut fields = Fields::default();
    fields.push(b"name", b"value");
    fields.mark_overflowed();
    fields.note(Traits::of(b"A", b""));
    fields.end_common_part();
    let capacity = fields.bytes.capacity();
    fields.clear();
    assert!(fields.iter().len() == 0 && !fields.overflowed());
    assert_eq!(fields.traits(), Traits::default());
    assert_eq!((fields.size(), fields.bytes.capacity()), (0, capacity));
}

#[test]
fn clear_gives_back_the_memory_of_an_outsized_list() {
    let mut fields = Fields::default();
    for _ in 0..1000 {
        fields.push(b"name", &[b'v'; 100]);
    }
    fields.clear();
    assert!(fields.bytes.capacity() <= KEPT_CAPACITY);
    assert!(fields.spans.capacity() <= KEPT_CAPACITY / FIELD_OVERHEAD);
}

#[test]
fn a_discarded_draft_leaves_no_trace() {
    let mut fields = Fields::default();
    fields.push(b"a", b"1");
    let start = fields.draft().len();
    fields.draft().extend_from_slice(b"half a field");
    fields.discard(start);
    fields.push(b"b", b"2");
    assert_eq!(fields.iter().last(), Some((&b"b"[..], &b"2"[..])));
    assert_eq!(fields.size(), 2 * 34);
}

#[test]
fn lists_are_joined_and_compared_by_their_front() {
    let (mut front, mut list) = (Fields::default(), Fields::default());
    front.push(b"a", b"1");
    front.push(b"bc", b"");
    list.append(&front);
    list.end_common_part();
    list.push(b"d", b"2");
    assert_eq!(list.iter().len(), 3);
    assert_eq!(list.common_part(), front.extent());
    assert!(list.begins_with(&front, list.common_part()));
    let (count, octets) = list.common_part();
    assert_eq!(
        list.skip(count, octets).next(),
        Some((&b"d"[..], &b"2"[..]))
    );
    let mut part = Fields::default();
    part.copy_part(&list, front.extent(), list.extent());
    assert!(part.iter().eq(list.iter().skip(2)));
}

#[test]
fn debug_shows_no_value() {
    let mut fields = Fields::default();
    fields.push(b"authorization", b"secret");
    assert_eq!(format!("{fields:?}"), r#"["authorization"]"#);
}
