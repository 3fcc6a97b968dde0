//! The parameter as protoc hands it over.

use super::{OPTIONS, Options, split};

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
fn several_options() {
    let options = Options::parse(
        "client=false,server=true,messages=false,extern_path=.a.b=::c::d,extern_path=.e=crate::f,\
         include_file=mod.rs,server_cfg=feature = \"x\",type_attribute=.a=#[derive(B, C)],bytes=.",
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
    assert_eq!(options.server_cfg.as_deref(), Some("feature = \"x\""));
    let rules: Vec<_> = options
        .rules
        .iter()
        .map(|rule| (rule.option, &rule.path[..], &rule.value[..]))
        .collect();
    let derive = ("type_attribute", ".a", "#[derive(B, C)]");
    assert_eq!(rules, [derive, ("bytes", ".", "")]);
}

#[test]
fn commas_within_brackets_and_strings_separate_nothing() {
    for (parameter, parts) in [
        ("a,b", &["a", "b"][..]),
        ("a(b,c),d", &["a(b,c)", "d"]),
        ("#[a(b, [c, d])],e", &["#[a(b, [c, d])]", "e"]),
        ("#[a = \"b, \\\", ]\"],c", &["#[a = \"b, \\\", ]\"]", "c"]),
        ("a),b", &["a)", "b"]),
    ] {
        assert_eq!(split(parameter).collect::<Vec<_>>(), parts);
    }
}

#[test]
fn a_path_covers_what_lies_below_it() {
    let options = Options::parse("bytes=.a.B").unwrap();
    let rule = &options.rules[0];
    assert!(rule.covers(".a.B") && rule.covers(".a.B.c"));
    assert!(!rule.covers(".a.Bc") && !rule.covers(".a") && !rule.covers(".x.a.B"));
    assert!(Options::parse("bytes=.").unwrap().rules[0].covers(".a"));
}

#[test]
fn an_unknown_option_is_told_the_nearest_and_all_names() {
    let text = refused("cleint=false");
    assert!(
        text.starts_with("unknown option `cleint`\n  = help: did you mean `client`? The options"),
        "{text}"
    );
    for spec in OPTIONS {
        assert!(text.contains(spec.name), "{text}");
    }
    let text = refused("no_such=1");
    assert!(!text.contains("did you mean"), "{text}");
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let text = refused("cleint=false,server=maybe,bytes=a");
    assert!(text.contains("`cleint`"), "{text}");
    assert!(text.contains("`maybe`"), "{text}");
    assert!(text.contains("a dot in front"), "{text}");
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
        (
            "default_package_filename=a.rs",
            "is not a plain file name without its .rs",
        ),
        ("client_cfg=feature =", "is not a predicate of `cfg`"),
        ("bytes=a", "with a dot in front: `.a`"),
        ("bytes=.a,bytes=.a", "`.a` is given twice"),
        ("bytes=.a.", "is not a proto path"),
        ("type_attribute=.a", "has no `=` behind the path"),
        ("type_attribute=.a=Debug", "`Debug` is no attribute"),
        ("type_attribute=.a=#![x]", "`#![x]` is no attribute"),
        (
            "type_name_domain=.=a,type_name_domain=.=b",
            "`.` is given twice",
        ),
        ("type_name_domain=.=a b", "cannot stand before the `/`"),
    ] {
        let text = refused(parameter);
        assert!(text.contains(why), "{parameter}: {text}");
    }
}

#[test]
fn options_that_need_another() {
    for (parameter, why) in [
        (
            "client=false,client_cfg=x",
            "`client_cfg`: it has no effect without `client=true`",
        ),
        ("server=false,server_cfg=x", "without `server=true`"),
        ("messages=false,type_names=true", "without `messages=true`"),
        (
            "messages=false,retain_enum_prefix=true",
            "without `messages=true`",
        ),
        ("type_name_domain=.=a", "without `type_names=true`"),
        ("module_attribute=.=#[a]", "without `include_file=mod.rs`"),
    ] {
        let options = Options::parse(parameter).unwrap();
        let text = options.check().unwrap_err().to_string();
        assert!(text.contains(why), "{parameter}: {text}");
    }
}

#[test]
fn options_of_other_generators_are_known() {
    for (parameter, hint) in [
        ("build_server=false", "here it is called `server`"),
        ("build_client=false", "here it is called `client`"),
        ("enable_type_names=true", "here it is called `type_names`"),
        (
            "trait_attribute=.=#[a]",
            "here it is called `servicer_attribute`",
        ),
        ("out_dir=src", "`--rust-grpc_out=`"),
        ("file_descriptor_set_path=x", "--descriptor_set_out=FILE"),
        (
            "require_unimplemented_servers=false",
            "`require_methods=true`",
        ),
        ("Build_Server=false", "here it is called `server`"),
        ("serber=false", "did you mean `server`?"),
    ] {
        let error = refused(parameter);
        assert!(error.contains(hint), "{error}");
    }
}

/// A hint that names an option of ours must stay true.
#[test]
fn what_hints_name_is_in_the_table() {
    for ours in super::foreign::named() {
        assert!(OPTIONS.iter().any(|spec| spec.name == ours), "{ours}");
    }
}
