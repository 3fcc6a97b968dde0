//! The parameter as protoc hands it over.

use super::{OPTIONS, Options};

#[track_caller]
fn refused(parameter: &str) -> String {
    Options::parse(parameter).unwrap_err().to_string()
}

#[test]
fn nothing_means_the_defaults() {
    let options = Options::parse("").unwrap();
    assert!(options.client && options.server && options.messages);
    assert!(options.extern_paths.is_empty() && options.include_file.is_none());
}

#[test]
fn all_options() {
    let options = Options::parse(
        "client=false,server=true,messages=false,extern_path=.a.b=::c::d,extern_path=.e=crate::f,\
         include_file=mod.rs",
    )
    .unwrap();
    assert!(!options.client && options.server && !options.messages);
    assert_eq!(
        options.extern_paths,
        [
            (".a.b".to_owned(), "::c::d".to_owned()),
            (".e".to_owned(), "crate::f".to_owned()),
        ]
    );
    assert_eq!(options.include_file.as_deref(), Some("mod.rs"));
}

#[test]
fn an_unknown_option_is_told_all_names() {
    let text = refused("no_such=1");
    assert!(text.contains("unknown option `no_such`"), "{text}");
    for spec in OPTIONS {
        assert!(
            text.contains(&format!("{}={}", spec.name, spec.value)),
            "{text}"
        );
    }
}

#[test]
fn malformed_values() {
    for (parameter, why) in [
        (
            "client",
            "it needs a value; it is written `client=true|false`",
        ),
        ("client=", "it needs a value"),
        ("client=yes", "`yes` is neither true nor false"),
        ("client=true,client=false", "given more than once"),
        ("extern_path=.a", "has no `=`"),
        ("extern_path=a=::b", "with a dot in front: `.a`"),
        ("extern_path=.=::b", "is not a proto path"),
        ("extern_path=.a..b=::b", "is not a proto path"),
        (
            "extern_path=.a=super::b",
            "is not a Rust path that begins with",
        ),
        ("extern_path=.a=a b", "is not a Rust path"),
        ("extern_path=.a=", "is not a Rust path"),
        (
            "extern_path=.a=::b,extern_path=.a=::c",
            "`.a` is given twice",
        ),
        ("include_file=a/b.rs", "is not the plain name of a .rs file"),
        ("include_file=.rs", "is not the plain name of a .rs file"),
        ("include_file=mod", "is not the plain name of a .rs file"),
    ] {
        let text = refused(parameter);
        assert!(text.contains(why), "{parameter}: {text}");
    }
}
