//! Messages in messages in messages: what they derive depends on all they hold,
//! and must be found out in the time it takes to look at each once.

#![allow(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in tests, but sees no helpers"
)]

use std::fmt::Write as _;
use std::fs;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use grpc_build::Config;

/// Far more than it takes, even on a machine with much else to do; an
/// exponential search would need years.
const BOUND: Duration = Duration::from_secs(60);

/// What is generated of the messages, with those options.
#[track_caller]
fn generate(messages: &str, options: &'static [(&str, &str)]) -> String {
    let text = format!("syntax = \"proto3\";\npackage deep;\n{messages}");
    let (done, outcome) = mpsc::channel();
    // A thread of its own can be left behind; nothing here may need a stack as
    // deep as the messages.
    thread::spawn(move || {
        let directory = tempfile::tempdir().unwrap();
        let proto = directory.path().join("deep.proto");
        fs::write(&proto, text).unwrap();
        options
            .iter()
            .fold(Config::new(), |config, (name, value)| {
                config.option(*name, *value)
            })
            .out_dir(directory.path())
            .compile(&[&proto], &[directory.path()])
            .unwrap();
        let generated = fs::read_to_string(directory.path().join("deep.rs"));
        let _ = done.send(generated.unwrap());
    });
    outcome.recv_timeout(BOUND).unwrap()
}

/// `levels` messages, each of which holds the next one twice.
fn diamond(levels: usize, leaf: &str, held: impl Fn(usize) -> String) -> String {
    let mut text = String::new();
    for level in 0..levels {
        let _ = writeln!(text, "message M{level} {{ {} }}", held(level + 1));
    }
    let _ = writeln!(text, "message M{levels} {{ {leaf} }}");
    text
}

fn fields(next: usize) -> String {
    format!("M{next} left = 1; M{next} right = 2;")
}

/// The derives of a message or a oneof.
#[track_caller]
fn derives<'t>(generated: &'t str, item: &str) -> &'t str {
    let (before, _) = generated
        .split_once(&format!("{item} {{"))
        .unwrap_or_else(|| panic!("{item} is not there"));
    let line = before
        .lines()
        .rfind(|line| line.contains("#[derive("))
        .unwrap();
    line.trim()
}

#[test]
fn a_leaf_decides_for_all_above_it() {
    for (leaf, expected) in [
        ("int32 n = 1;", "Clone, Copy, PartialEq, Eq, Hash"),
        ("double n = 1;", "Clone, Copy, PartialEq"),
        ("string s = 1;", "Clone, PartialEq, Eq, Hash"),
        ("repeated M0 more = 1;", "Clone, PartialEq"),
    ] {
        let generated = generate(&diamond(40, leaf, fields), &[]);
        for message in ["M0", "M20", "M39", "M40"] {
            assert_eq!(
                derives(&generated, &format!("pub struct {message}")),
                format!("#[derive({expected}, ::grpc_runtime::prost::Message)]"),
                "{message} above {leaf}"
            );
        }
    }
}

#[test]
fn through_oneofs_too() {
    let held = |next| format!("oneof side {{ M{next} left = 1; M{next} right = 2; }}");
    let generated = generate(&diamond(40, "int32 n = 1;", held), &[]);
    assert_eq!(
        derives(&generated, "pub enum Side"),
        "#[derive(Clone, Copy, PartialEq, Eq, Hash, ::grpc_runtime::prost::Oneof)]"
    );
}

#[test]
fn a_box_ends_copy_for_all_above_it() {
    let generated = generate(
        &diamond(40, "int32 n = 1;", fields),
        &[("boxed", ".deep.M30.left")],
    );
    let with = |message: &str| {
        let item = format!("pub struct {message}");
        derives(&generated, &item).contains("Copy")
    };
    assert!(!with("M0") && !with("M30") && with("M31"));
}

/// prost-build looks for the box of a member of a oneof beside the oneof.
#[test]
fn a_box_in_a_oneof_ends_copy() {
    let generated = generate(
        "message M { oneof side { N left = 1; int32 right = 2; } }\nmessage N { int32 n = 1; }",
        &[("boxed", ".deep.M.side.left")],
    );
    assert_eq!(
        derives(&generated, "pub enum Side"),
        "#[derive(Clone, PartialEq, Eq, Hash, ::grpc_runtime::prost::Oneof)]"
    );
    assert!(!derives(&generated, "pub struct M").contains("Copy"));
}

#[test]
fn a_cycle_is_boxed_and_derives_no_more_than_a_box() {
    let generated = generate(
        "message A { B b = 1; }\nmessage B { A a = 1; C c = 2; }\nmessage C { int32 n = 1; }",
        &[],
    );
    for (message, copy) in [("A", false), ("B", false), ("C", true)] {
        let derived = derives(&generated, &format!("pub struct {message}"));
        assert_eq!(derived.contains("Copy"), copy, "{message}");
        assert_eq!(derived.contains("Eq, Hash"), copy, "{message}");
    }
}

#[test]
fn a_chain_needs_no_deep_stack() {
    let chain = diamond(3000, "int32 n = 1;", |next| format!("M{next} next = 1;"));
    let generated = generate(&chain, &[]);
    assert!(derives(&generated, "pub struct M0").contains("Copy"));
}
