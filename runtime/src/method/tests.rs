//! A method's path and its parts.

use super::{Method, Shape};

const METHOD: Method = Method::new("/a.b.C/D", Shape::BIDI_STREAMING);
const PARTS: (&str, &str, &str) = (METHOD.path(), METHOD.service(), METHOD.name());

#[test]
fn the_parts_are_known_at_compile_time() {
    assert_eq!(PARTS, ("/a.b.C/D", "a.b.C", "D"));
    assert_eq!(METHOD.shape(), Shape::BIDI_STREAMING);
    assert_eq!(METHOD.to_string(), "/a.b.C/D");
}

#[test]
fn a_name_beyond_ascii_is_cut_in_the_right_place() {
    let method = Method::new("/é.Ü/ß", Shape::UNARY);
    assert_eq!((method.service(), method.name()), ("é.Ü", "ß"));
}

#[test]
fn a_path_of_another_form_is_refused() {
    for path in ["", "/", "//", "a/b", "/a", "/a/", "//b", "/a/b/", "/a/b/c"] {
        let made = std::panic::catch_unwind(|| Method::new(path, Shape::UNARY));
        assert!(made.is_err(), "{path}");
    }
}
