//! Tests of `field_rules.rs`.

use super::*;

fn fields(list: &[(&str, &str)]) -> Fields {
    let mut fields = Fields::default();
    for (name, value) in list {
        fields.push(name.as_bytes(), value.as_bytes());
    }
    fields
}

const REQUEST: [(&str, &str); 3] = [(":method", "POST"), (":scheme", "http"), (":path", "/a/b")];

fn request(more: &[(&str, &str)]) -> Result<(), &'static str> {
    let mut list = REQUEST.to_vec();
    list.extend_from_slice(more);
    check(&fields(&list), Block::Request)
}

#[test]
fn a_proper_request_passes() {
    assert_eq!(
        request(&[(":authority", "x"), ("te", "trailers"), ("a-b_c.d", "1")]),
        Ok(())
    );
}

#[test]
fn each_malformed_request_is_refused() {
    for more in [
        [("connection", "close")].as_slice(),
        &[("te", "gzip")],
        &[("a", "1"), (":authority", "late")],
        &[(":path", "/twice")],
        &[(":status", "200")],
    ] {
        assert!(request(more).is_err(), "{more:?}");
    }
    assert!(check(&fields(&REQUEST[..2]), Block::Request).is_err());
}

#[test]
fn responses_and_trailers_have_their_own_pseudo_fields() {
    assert_eq!(
        check(&fields(&[(":status", "200")]), Block::Response),
        Ok(())
    );
    assert!(check(&fields(&[]), Block::Response).is_err());
    assert!(check(&fields(&[(":status", "2000")]), Block::Response).is_err());
    assert!(check(&fields(&[(":status", "200")]), Block::Trailers).is_err());
    assert_eq!(
        check(&fields(&[("grpc-status", "0")]), Block::Trailers),
        Ok(())
    );
}
