//! Deeply nested messages: derives and boxes depend on all contents, and must be computed in
//! time linear in the number of messages. Messages that rustc would not compile are reported
//! before.

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

/// What is generated of the messages, with those options, and the warnings; or
/// the error.
#[track_caller]
fn outcome(
    messages: &str,
    options: &'static [(&str, &str)],
) -> Result<(String, Vec<String>), String> {
    let text = format!("syntax = \"proto3\";\npackage deep;\n{messages}");
    let (done, outcome) = mpsc::channel();
    // A thread of its own can be left behind; nothing here may need a stack as
    // deep as the messages.
    thread::spawn(move || {
        let directory = tempfile::tempdir().unwrap();
        let proto = directory.path().join("deep.proto");
        fs::write(&proto, text).unwrap();
        let config = options.iter().fold(Config::new(), |config, option| {
            config.option(option.0, option.1)
        });
        let config = config.out_dir(directory.path());
        let warnings = config.generate(&[&proto], &[directory.path()]);
        let here = format!("{}/", directory.path().display());
        let _ = done.send(match warnings {
            Ok(warnings) => Ok((
                fs::read_to_string(directory.path().join("deep.rs")).unwrap(),
                warnings
                    .iter()
                    .map(|text| text.replace(&here, ""))
                    .collect(),
            )),
            Err(error) => Err(error.to_string().replace(&here, "")),
        });
    });
    outcome.recv_timeout(BOUND).unwrap()
}

#[track_caller]
fn generate(messages: &str, options: &'static [(&str, &str)]) -> String {
    let (generated, warnings) = outcome(messages, options).unwrap();
    assert_eq!(warnings, [""; 0]);
    generated
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

/// Whether a field is in a box.
#[track_caller]
fn is_boxed(generated: &str, message: &str, name: &str) -> bool {
    let start = format!("pub struct {message} {{");
    let (_, after) = generated.split_once(&start).unwrap();
    let (before, _) = after.split_once(&format!("pub {name}:")).unwrap();
    before
        .lines()
        .rfind(|line| line.contains("#[prost("))
        .unwrap()
        .contains("boxed")
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
        for (message, boxed) in [("M0", true), ("M20", true), ("M30", false), ("M40", false)] {
            let expected = if boxed {
                &expected.replace("Copy, ", "")
            } else {
                expected
            };
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
    let generated = generate(&diamond(35, "int32 n = 1;", held), &[]);
    assert_eq!(
        derives(&generated, "pub enum Side"),
        "#[derive(Clone, Copy, PartialEq, Eq, Hash, ::grpc_runtime::prost::Oneof)]"
    );
}

/// Sizes double from level to level, 4 bytes at the leaf. A oneof's members lie
/// in one place.
#[test]
fn what_no_stack_could_hold_is_boxed() {
    let generated = generate(&diamond(40, "int32 n = 1;", fields), &[]);
    let boxed: Vec<usize> = (0..40)
        .filter(|level| is_boxed(&generated, &format!("M{level}"), "left"))
        .collect();
    assert_eq!(boxed, [8, 23], "a message is at most 256 KiB");
    for level in boxed {
        assert!(is_boxed(&generated, &format!("M{level}"), "right"));
    }

    let held = |next| format!("oneof side {{ M{next} left = 1; M{next} right = 2; }}");
    assert!(!generate(&diamond(35, "int32 n = 1;", held), &[]).contains("boxed"));

    // The largest alone, and nothing that no box makes smaller.
    let numbers: String = (1..=1900).fold(String::new(), |mut text, n| {
        let _ = write!(text, "fixed64 f{n} = {n}; ");
        text
    });
    let generated = generate(
        &format!(
            "{}
message A {{ M0 whole = 1; M1 half = 2; M2 quarter = 3; }}
message B {{ A a = 1; M0 b = 2; M15 c = 3; }}
message Wide {{ {numbers} }}
message Wider {{ {} Wide last = 99; }}",
            diamond(15, "int32 n = 1;", fields),
            (1..=18).fold(String::new(), |text, n| format!("{text}Wide f{n} = {n}; ")),
        ),
        &[],
    );
    for name in ["whole", "half", "quarter"] {
        assert!(!is_boxed(&generated, "A", name), "{name}");
    }
    assert!(is_boxed(&generated, "B", "a"));
    assert!(!is_boxed(&generated, "B", "b"));
    assert!(!is_boxed(&generated, "B", "c"));
    // 19 of 15,200 bytes each.
    assert!(is_boxed(&generated, "Wider", "f2"));
    assert!(!is_boxed(&generated, "Wider", "f3"));
    assert!(!is_boxed(&generated, "Wider", "last"));
}

#[test]
fn a_box_ends_copy_for_all_above_it() {
    let generated = generate(
        &diamond(15, "int32 n = 1;", fields),
        &[("boxed", ".deep.M10.left")],
    );
    let with = |message: &str| {
        let item = format!("pub struct {message}");
        derives(&generated, &item).contains("Copy")
    };
    assert!(!with("M0") && !with("M10") && with("M11"));
    assert!(is_boxed(&generated, "M10", "left") && !is_boxed(&generated, "M10", "right"));
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

fn chain(levels: usize, held: impl Fn(usize) -> String) -> String {
    diamond(levels, "string s = 1;", held)
}

/// The bounds were found by compiling such chains: of 60 messages, of 40 in
/// oneofs, of 30 in lists, of 25 in maps.
#[test]
fn what_the_compiler_does_not_follow_by_itself_is_told() {
    type Held = fn(usize) -> String;
    let ways: [(usize, Held); 4] = [
        (59, |next| format!("M{next} next = 1;")),
        (39, |next| format!("oneof side {{ M{next} next = 1; }}")),
        (29, |next| format!("repeated M{next} next = 1;")),
        (23, |next| format!("map<int32, M{next}> next = 1;")),
    ];
    for (most, held) in ways {
        generate(&chain(most, held), &[]);
        let (_, warnings) = outcome(&chain(most + 1, held), &[]).unwrap();
        assert_eq!(
            warnings,
            [
                "deep.proto:3:9: the messages in `M0` lie in each other deeper than the compiler \
              follows by itself; write `#![recursion_limit = \"256\"]` at the top of the crate's \
              `lib.rs` or `main.rs`"
            ],
            "{most} levels"
        );
    }
}

/// Nor may the search for them need a stack as deep as they are.
#[test]
fn what_the_compiler_cannot_follow_is_an_error() {
    let error = outcome(&chain(3000, |next| format!("M{next} next = 1;")), &[]).unwrap_err();
    assert_eq!(
        error,
        "deep.proto:3:9: the messages in `M0` lie in each other deeper than the compiler follows
   |
 3 | message M0 { M1 next = 1; }
   |         ^^
   = help: let one in between be `bytes`, which hold the next one encoded"
    );
}

#[test]
fn fields_too_many_for_the_compilers_stack_are_told() {
    let wide = |count: usize| {
        let fields = (1..=count).fold(String::new(), |mut text, n| {
            let _ = write!(text, "bool f{n} = {n}; ");
            text
        });
        format!("message Wide {{ {fields} }}")
    };
    generate(&wide(2000), &[]);
    let (_, warnings) = outcome(&wide(2001), &[]).unwrap();
    assert_eq!(
        warnings,
        [
            "deep.proto:3:9: the compiler's stack may be too small for the 2001 fields of `Wide`; \
          set the environment variable `RUST_MIN_STACK=67108864` for cargo"
        ]
    );
}
