//! Files that are valid and cannot be generated: the error must say where, and
//! show the line.

#![allow(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in tests, but sees no helpers"
)]

use std::fs;
use std::path::PathBuf;

use grpc_build::{Config, FrontEnd};

fn protoc() -> PathBuf {
    protoc_bin_vendored::protoc_bin_path().unwrap()
}

/// Compiles the files and gives the error, with the directory cut off.
#[track_caller]
fn refused_by(front_end: FrontEnd, files: &[(&str, &str)]) -> String {
    let directory = tempfile::tempdir().unwrap();
    let mut paths = Vec::new();
    for (name, text) in files {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        paths.push(path);
    }
    let error = Config::new()
        .front_end(front_end)
        .out_dir(directory.path().join("out"))
        .compile(&paths, &[directory.path()])
        .unwrap_err();
    error
        .to_string()
        .replace(&format!("{}/", directory.path().display()), "")
}

#[track_caller]
fn check(text: &str, expected: &str) {
    let error = refused_by(FrontEnd::Protox, &[("a.proto", text)]);
    assert_eq!(error, expected.trim_start_matches('\n').trim_end());
}

const HEAD: &str = "syntax = \"proto3\";\npackage a;\n";

#[test]
fn two_messages() {
    check(
        &format!("{HEAD}message FooBar {{}}\nmessage foo_bar {{}}\n"),
        "
a.proto:4:9: the message `foo_bar` and the message `FooBar` both become `FooBar` in Rust; rename one of them
   |
 4 | message foo_bar {}
   |         ^^^^^^^",
    );
}

#[test]
fn two_methods() {
    check(
        &format!(
            "{HEAD}message M {{}}\nservice S {{\n  rpc GetIt(M) returns (M);\n  rpc get_it(M) \
             returns (M);\n}}\n"
        ),
        "
a.proto:6:7: the method `get_it` and the method `GetIt` both become `get_it` in Rust; rename one of them
   |
 6 |   rpc get_it(M) returns (M);
   |       ^^^^^^",
    );
}

#[test]
fn two_services() {
    let error = refused_by(
        FrontEnd::Protox,
        &[(
            "a.proto",
            &format!("{HEAD}service Foo {{}}\nservice foo {{}}\n"),
        )],
    );
    assert!(
        error.starts_with("a.proto:4:9: the service `foo` and the service `Foo`"),
        "{error}"
    );
}

#[test]
fn fields_and_oneofs() {
    for (body, why) in [
        (
            "message M {\n  optional int32 a_b = 1;\n  optional int32 aB = 2;\n}",
            "a.proto:5:18: the field `aB` and the field `a_b` both become `a_b`",
        ),
        (
            "message M {\n  optional int32 oo1 = 1;\n  oneof _oo1 { int32 a = 2; }\n  oneof oo_1_oneof { int32 b = 3; }\n}",
            "a.proto:6:9: the oneof `oo_1_oneof` and the oneof `_oo1` both become `Oo1Oneof`",
        ),
        (
            "message M {\n  oneof o {\n    int32 a_b = 1;\n    int32 aB = 2;\n  }\n}",
            "a.proto:6:11: the field `aB` and the field `a_b` both become `AB`",
        ),
        (
            "message M {\n  message Which {}\n  message WhichOneOf {}\n  oneof which { int32 a = 1; }\n}",
            "a.proto:6:9: the oneof `which` and the message `WhichOneOf` both become `WhichOneOf`",
        ),
        (
            "message Ab { enum E { X = 0; } }\nmessage AB { enum E { X = 0; } }",
            "a.proto:4:9: the message `AB` and the message `Ab` both become `Ab`",
        ),
        (
            "enum E { X = 1; }\nmessage M {\n  optional E kind = 1;\n  optional int32 set_kind = 2;\n}",
            "a.proto:6:18: an accessor of the field `set_kind` and an accessor of the field `kind` both become `set_kind`",
        ),
        (
            "enum E { X = 0; }\nmessage M {\n  map<int32, E> kind = 1;\n  repeated E get_kind = 2;\n}",
            "a.proto:6:14: an accessor of the field `get_kind` and an accessor of the field `kind`",
        ),
        (
            "message Bool { message Inner {} }",
            "a.proto:3:9: the module of the message `Bool`'s nested types becomes `bool` in Rust and hides the type `bool`",
        ),
        (
            "message _ {}",
            "a.proto:3:9: the name `_` has no letter or digit",
        ),
    ] {
        // In proto3 every compiler refuses most of these, in proto2 protox does.
        let text = format!("syntax = \"proto2\";\npackage a;\n{body}\n");
        let error = refused_by(FrontEnd::Protoc(protoc()), &[("a.proto", &text)]);
        assert!(error.starts_with(why), "{error}");
    }
}

#[test]
fn packages_against_packages_and_primitives() {
    let error = refused_by(
        FrontEnd::Protox,
        &[
            (
                "a.proto",
                "syntax = \"proto3\";\npackage foo.Bar;\nmessage A {}\n",
            ),
            (
                "b.proto",
                "syntax = \"proto3\";\npackage foo.bar;\nmessage B {}\n",
            ),
        ],
    );
    assert!(
        error.starts_with(
            "b.proto:2:1: the packages `foo.Bar` and `foo.bar` both become `foo.bar.rs`"
        ),
        "{error}"
    );

    let error = refused_by(
        FrontEnd::Protox,
        &[
            (
                "a.proto",
                "syntax = \"proto3\";\npackage a;\nmessage A {}\n",
            ),
            (
                "b.proto",
                "syntax = \"proto3\";\npackage a.str;\nmessage B {}\n",
            ),
        ],
    );
    assert!(
        error.starts_with(
            "b.proto:2:1: the package `a.str` becomes `str` in Rust and hides the type `str`"
        ),
        "{error}"
    );
}
