//! Names in, identifiers out.

use super::{camel, camel_with, file_stem, shouty, snake, variant};

#[test]
fn words_and_acronyms() {
    for (name, expected) in [
        ("SayHello", "say_hello"),
        ("HTTPService", "http_service"),
        ("GetHTTP2Info", "get_http2_info"),
        ("getURLs", "get_ur_ls"),
        ("already_snake", "already_snake"),
        ("V1Beta1", "v1_beta1"),
        ("_Leading", "leading"),
        ("__", ""),
    ] {
        assert_eq!(snake(name), expected);
    }
    assert_eq!(camel("http_service"), "HttpService");
    assert_eq!(shouty("SayHello"), "SAY_HELLO");
    assert_eq!(shouty("HTTPService"), "HTTP_SERVICE");
}

#[test]
fn keywords_and_digits() {
    for (name, expected) in [
        ("Type", "r#type"),
        ("gen", "r#gen"),
        ("async", "r#async"),
        ("Self", "self_"),
        ("super", "super_"),
        ("crate", "crate_"),
        ("extern", "extern_"),
        ("_1", "_1"),
        ("union", "union"),
    ] {
        assert_eq!(snake(name), expected);
        // Whatever comes out, Rust takes it.
        assert!(syn::parse_str::<syn::Ident>(&snake(name)).is_ok(), "{name}");
    }
    assert_eq!(camel("self"), "Self_");
    assert_eq!(camel_with("self", "Stub"), "SelfStub");
    assert_eq!(camel_with("_1", "Stub"), "_1Stub");
    assert_eq!(shouty("type"), "TYPE");
    assert_eq!(shouty("_1"), "_1");
}

#[test]
fn variants_lose_the_name_of_their_enum() {
    for (in_enum, value, expected) in [
        ("Color", "COLOR_RED", "Red"),
        ("Color", "RED", "Red"),
        ("Color", "COLOR_1", "Color1"),
        ("Color", "COLOR", "Color"),
        ("Color", "COLORFUL", "Colorful"),
        ("Color", "COLOR_SELF", "Self_"),
        ("http_code", "HTTP_CODE_OK", "Ok"),
    ] {
        assert_eq!(variant(in_enum, value), expected);
    }
}

#[test]
fn files_are_named_like_packages() {
    assert_eq!(file_stem(""), "_");
    assert_eq!(file_stem("a.b"), "a.b");
    assert_eq!(file_stem("google.type"), "google.type");
    assert_eq!(file_stem("Acme.FooBar"), "acme.foo_bar");
}
