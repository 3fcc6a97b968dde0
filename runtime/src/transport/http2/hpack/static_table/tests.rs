//! Tests of the static table and its search.

use super::{LEN, find_name, find_value, get};

fn split(index: usize) -> (&'static [u8], &'static [u8]) {
    let field = get(index).unwrap();
    field.text.split_at(field.name_len)
}

#[test]
fn holds_the_appendix() {
    assert_eq!(split(1), (&b":authority"[..], &b""[..]));
    assert_eq!(split(3), (&b":method"[..], &b"POST"[..]));
    assert_eq!(split(8), (&b":status"[..], &b"200"[..]));
    assert_eq!(split(16), (&b"accept-encoding"[..], &b"gzip, deflate"[..]));
    assert_eq!(split(31), (&b"content-type"[..], &b""[..]));
    assert_eq!(split(61), (&b"www-authenticate"[..], &b""[..]));
    assert!(get(0).is_none());
    assert!(get(LEN + 1).is_none());
}

#[test]
fn finds_every_name_at_its_first_index() {
    for index in 1..=LEN {
        let (name, value) = split(index);
        let first = (1..=LEN).find(|&each| split(each).0 == name);
        assert_eq!(find_name(name), first);
        if !value.is_empty() {
            assert_eq!(find_value(first.unwrap(), value), Some(index));
        }
        assert_eq!(find_value(first.unwrap(), b"no such value"), None);
    }
}

#[test]
fn finds_no_other_name() {
    for name in [
        &b""[..],
        b":",
        b"te",
        b"grpc-status",
        b"Content-Type",
        b"content-typf",
    ] {
        assert_eq!(find_name(name), None);
    }
}

#[test]
fn a_value_is_not_found_under_another_name() {
    let scheme = find_name(b":scheme").unwrap();
    assert_eq!(find_value(scheme, b"200"), None);
    assert_eq!(find_value(find_name(b":path").unwrap(), b"http"), None);
}
