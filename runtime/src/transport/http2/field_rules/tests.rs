//! Tests of `field_rules.rs`.

use super::*;

fn judge(list: &[(&str, &str)], block: BlockKind) -> Result<(), &'static str> {
    let traits = list
        .iter()
        .fold(Traits::default(), |traits, (name, value)| {
            traits.followed_by(Traits::of(name.as_bytes(), value.as_bytes()))
        });
    check(traits, false, block)
}

const REQUEST: [(&str, &str); 3] = [(":method", "POST"), (":scheme", "http"), (":path", "/a/b")];

fn request(more: &[(&str, &str)]) -> Result<(), &'static str> {
    let mut list = REQUEST.to_vec();
    list.extend_from_slice(more);
    judge(&list, BlockKind::Request)
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
        &[(":strange", "1")],
        &[("Upper", "1")],
        &[("a", "line\nbreak")],
    ] {
        assert!(request(more).is_err(), "{more:?}");
    }
    assert!(judge(&REQUEST[..2], BlockKind::Request).is_err());
}

#[test]
fn responses_and_trailers_have_their_own_pseudo_fields() {
    assert_eq!(judge(&[(":status", "200")], BlockKind::Response), Ok(()));
    assert!(judge(&[], BlockKind::Response).is_err());
    assert!(judge(&[(":status", "2000")], BlockKind::Response).is_err());
    assert!(judge(&[(":status", "200")], BlockKind::Trailers).is_err());
    assert_eq!(judge(&[("grpc-status", "0")], BlockKind::Trailers), Ok(()));
}

#[test]
fn an_empty_path_is_refused_and_a_cut_list_may_lack_anything() {
    let empty = [(":method", "POST"), (":scheme", "http"), (":path", "")];
    assert!(judge(&empty, BlockKind::Request).is_err());
    let cut = Traits::of(b":method", b"POST");
    assert_eq!(check(cut, true, BlockKind::Request), Ok(()));
    assert!(check(cut, false, BlockKind::Request).is_err());
}

/// As a literal whose name a table holds is judged.
#[test]
fn a_name_s_traits_stay_when_its_value_changes() {
    for (name, value) in [
        (":path", ""),
        (":status", "20x"),
        ("te", "gzip"),
        ("te", "trailers"),
        ("Upper", "1"),
        ("a", "\0"),
    ] {
        let fresh = Traits::of(name.as_bytes(), value.as_bytes());
        for other in ["", "200", "trailers", "\r"] {
            let known = Traits::of(name.as_bytes(), other.as_bytes());
            assert_eq!(known.with_value(value.as_bytes()), fresh, "{name} {value}");
        }
    }
}
