//! A oneof whose field would have the name of another field is renamed, with a warning, by
//! every way to generate; options find it by its original name.

#![allow(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in tests, but sees no helpers"
)]

mod ways;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use grpc_build::{Config, FrontEnd};
use ways::{assert_same, by_build, by_descriptor_set, by_plugin, protoc};

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/testdata")
}

/// What is told of `taken.proto`, but of its services, with the directory cut off.
fn warnings(config: Config) -> Vec<String> {
    let out = tempfile::tempdir().unwrap();
    let config = config.out_dir(out.path());
    let protos = [testdata().join("taken.proto")];
    let warnings = config.generate(&protos, &[testdata()]).unwrap().into_iter();
    let warnings = warnings.filter(|text| !text.contains("for the service"));
    let folder = format!("{}/", testdata().display());
    warnings.map(|text| text.replace(&folder, "")).collect()
}

/// What is generated, which must not depend on the way.
#[track_caller]
fn generate(folder: &Path, protos: &[&str], options: &[(&str, &str)]) -> BTreeMap<String, String> {
    let protos: Vec<_> = protos.iter().map(|name| folder.join(name)).collect();
    let expected = by_plugin(folder, &protos, options);
    let protox = by_build(folder, &protos, options, FrontEnd::Protox);
    assert_same("protox", &protox, &expected);
    let by_protoc = by_build(folder, &protos, options, FrontEnd::Protoc(protoc()));
    assert_same("protoc", &by_protoc, &expected);
    let set = by_descriptor_set(folder, &protos, options);
    assert_same("a descriptor set", &set, &expected);
    expected
}

/// The same of `taken.proto`.
#[track_caller]
fn taken(options: &[(&str, &str)]) -> String {
    let mut files = generate(&testdata(), &["taken.proto"], options);
    files.remove("taken.rs").unwrap()
}

/// Fails unless each of `expected` stands in the text, whatever its lines are.
#[track_caller]
fn assert_has(text: &str, expected: &[&str]) {
    let flat: Vec<&str> = text.split_whitespace().collect();
    let flat = flat.join(" ");
    for expected in expected {
        assert!(flat.contains(expected), "{expected}: {text}");
    }
}

#[test]
fn it_is_told_with_its_place() {
    assert_eq!(
        warnings(Config::new()),
        [
            "taken.proto:19:9: for the oneof `_oo`, the field `oo_oneof` is generated because \
             the field `oo` is `oo`",
            "taken.proto:27:9: for the oneof `foo_bar`, the field `foo_bar_oneof` is generated \
             because the oneof `fooBar` is `foo_bar`",
        ]
    );
}

#[test]
fn what_is_not_generated_is_not_told() {
    let elsewhere = Config::new().extern_path(".taken.Choices", "::other::Choices");
    assert_eq!(warnings(elsewhere), Vec::<String>::new());
    let all = Config::new().extern_path(".taken", "::other");
    assert_eq!(warnings(all.messages(false)), Vec::<String>::new());
}

#[test]
fn its_docs_say_it_whatever_becomes_of_comments() {
    let docs = "/// Named `oo_oneof` because the field `oo` is `oo`. \
                #[prost(oneof = \"choices::OoOneof\", tags = \"2, 3, 4\")] \
                pub oo_oneof: ::core::option::Option<choices::OoOneof>,";
    assert_has(&taken(&[]), &[&format!("/// One of them. /// {docs}")]);
    let without = taken(&[("disable_comments", ".")]);
    assert_has(&without, &[docs]);
    assert!(!without.contains("One of them."), "{without}");
}

#[test]
fn options_find_it_by_its_own_name() {
    const OPTIONS: &[(&str, &str)] = &[
        ("type_attribute", ".taken.Choices._oo=#[doc(alias = \"a\")]"),
        (
            "enum_attribute",
            ".taken.Choices.foo_bar=#[doc(alias = \"b\")]",
        ),
        (
            "field_attribute",
            ".taken.Choices.foo_bar=#[doc(alias = \"c\")]",
        ),
        (
            "field_attribute",
            ".taken.Choices._oo.X_oo=#[doc(alias = \"d\")]",
        ),
        (
            "field_attribute",
            ".taken.Choices.data=#[doc(alias = \"e\")]",
        ),
        ("bytes", ".taken.Choices._oo.data"),
        ("boxed", ".taken.Choices._oo"),
    ];
    let add = |config: Config, (name, value): &(&str, &str)| config.option(*name, *value);
    let told = warnings(OPTIONS.iter().fold(Config::new(), add));
    assert_eq!(told.len(), 2, "{told:?}");
    assert_has(
        &taken(OPTIONS),
        &[
            "#[doc(alias = \"a\")] #[derive(Clone, PartialEq, Eq, Hash, \
             ::grpc_runtime::prost::Oneof)] #[prost(prost_path = \"::grpc_runtime::prost\")] \
             pub enum OoOneof {",
            "#[doc(alias = \"b\")] #[derive(Clone, Copy, PartialEq, Eq, Hash, \
             ::grpc_runtime::prost::Oneof)] #[prost(prost_path = \"::grpc_runtime::prost\")] \
             pub enum FooBarOneofOneOf {",
            "#[doc(alias = \"c\")] pub foo_bar_oneof: ",
            "#[doc(alias = \"d\")] XOo(",
            "#[doc(alias = \"e\")] Data(::grpc_runtime::prost::bytes::Bytes)",
            "Inner(::grpc_runtime::prost::alloc::boxed::Box<super::greeter::Inner>)",
        ],
    );
}

#[test]
fn options_find_it_in_a_message_whose_module_steps_aside() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        (
            "a.proto",
            "package a; message Bar { string x = 1; oneof X { string y = 2; } }",
        ),
        ("b.proto", "package a.bar; message M {}"),
    ] {
        let text = format!("syntax = \"proto3\"; {text}\n");
        fs::write(folder.path().join(name), text).unwrap();
    }
    let options = [("field_attribute", ".a.Bar.y=#[doc(alias = \"z\")]")];
    let files = generate(folder.path(), &["a.proto", "b.proto"], &options);
    assert_has(
        &files["a.rs"],
        &[
            "pub x_oneof: ::core::option::Option<bar_::XOneof>,",
            "#[doc(alias = \"z\")] Y(",
        ],
    );
}

#[test]
fn descriptors_keep_its_own_name() {
    let text = taken(&[("file_descriptor_set", "true")]);
    let (_, set) = text.split_once("FILE_DESCRIPTOR_SET: ").unwrap();
    let set = set.replace("\\\n", "");
    assert!(
        set.contains("\\x03_oo") && set.contains("\\x07foo_bar"),
        "{set}"
    );
    assert!(!set.contains("_oneof"), "{set}");
}
