//! Claims in one scope; whole files are in `tests/errors.rs`.

use super::Scope;

#[test]
fn a_name_is_claimed_once() {
    let mut scope = Scope::default();
    scope
        .claim("FooBar".to_owned(), "the message `FooBar`")
        .unwrap();
    assert_eq!(
        scope
            .claim("FooBar".to_owned(), "the enum `foo_bar`")
            .unwrap_err(),
        "the enum `foo_bar` and the message `FooBar` both become `FooBar` in Rust; rename one of \
         them"
    );
}

#[test]
fn a_free_name_has_as_few_underscores_as_it_needs() {
    let mut scope = Scope::default();
    assert_eq!(scope.free("a"), ("a".to_owned(), None));
    scope.claim("a".to_owned(), "one").unwrap();
    scope.claim("a_".to_owned(), "two").unwrap();
    assert_eq!(scope.free("a"), ("a__".to_owned(), Some("one")));
}
