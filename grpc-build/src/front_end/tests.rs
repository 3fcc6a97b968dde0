//! Front-ends: their reports of mistakes in `.proto` files, and the list of files that they
//! have read.

use std::fs;
use std::path::PathBuf;

use super::FrontEnd;
use crate::sources::Sources;

pub(super) const UNDEFINED: &[u8] = b"syntax = \"proto3\";\nmessage A {\n\tMissing x = 1;\n}\n";
pub(super) const UNDEFINED_SHOWN: &str = "\n   |\n 3 | \tMissing x = 1;\n   | \t^^^^^^^";
pub(super) const ORPHAN: &[u8] = b"syntax = \"proto3\";\nimport \"no/such.proto\";\n";

fn protoc() -> FrontEnd {
    FrontEnd::Protoc(protoc_bin_vendored::protoc_bin_path().unwrap())
}

/// What is told of `a.proto`, with the directory cut off.
#[track_caller]
pub(super) fn refused(front_end: &FrontEnd, files: &[(&str, &[u8])]) -> String {
    let directory = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        fs::write(directory.path().join(name), bytes).unwrap();
    }
    let sources = Sources::new(&["a.proto"], &[directory.path()]).unwrap();
    front_end
        .read(&sources)
        .unwrap_err()
        .to_string()
        .replace(&format!("{}/", directory.path().display()), "")
}

/// Two files of which one imports the other, which imports a well-known one:
/// the two are what was read.
#[track_caller]
pub(super) fn tells_what_it_reads(front_end: &FrontEnd) {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("a.proto", "syntax = \"proto3\";\nimport \"b.proto\";\n"),
        (
            "b.proto",
            "syntax = \"proto3\";\nimport \"google/protobuf/any.proto\";\n",
        ),
    ] {
        fs::write(directory.path().join(name), text).unwrap();
    }
    let sources = Sources::new(&["a.proto"], &[directory.path()]).unwrap();
    let expected = ["b.proto", "a.proto"].map(|name| directory.path().join(name));
    let read = front_end.read(&sources).unwrap();
    assert_eq!(read.files, expected);
    assert!(read.variables.is_empty());
}

#[test]
fn a_type_that_does_not_exist() {
    let error = refused(&protoc(), &[("a.proto", UNDEFINED)]);
    assert_eq!(
        error,
        format!("a.proto:3:2: \"Missing\" is not defined.{UNDEFINED_SHOWN}")
    );
}

#[test]
fn an_import_that_does_not_exist() {
    let error = refused(&protoc(), &[("a.proto", ORPHAN)]);
    assert!(
        error.starts_with("a.proto:2:1: Import \"no/such.proto\" was not found"),
        "{error}"
    );
    let help = "= help: no include path has such a file";
    assert!(error.ends_with(help), "{error}");
}

#[test]
fn an_edition_that_protoc_does_not_know_is_told_with_those_that_do() {
    let error = refused(&protoc(), &[("a.proto", b"edition = \"2022\";\n")]);
    assert!(
        error.starts_with("a.proto:1:11: Unknown edition \"2022\"."),
        "{error}"
    );
    assert!(
        error.contains("edition 2024 protoc 32; this is /"),
        "{error}"
    );
}

/// A message set takes extensions of numbers that protox does not; what it would
/// take once names are looked up is not blamed along with it.
#[cfg(feature = "protox")]
#[test]
fn extensions_of_message_sets_are_refused_with_what_to_do() {
    let set = b"syntax = \"proto2\";
message Set { option message_set_wire_format = true; extensions 4 to max; }
message Large { extend Set { optional Large large = 536870912; } }
";
    let files: &[(&str, &[u8])] = &[
        ("set.proto", set),
        (
            "outer.proto",
            b"syntax = \"proto3\";\npackage a;\nimport public \"inner.proto\";\n",
        ),
        (
            "inner.proto",
            b"syntax = \"proto3\";\npackage a;\nimport public \"b.proto\";\n",
        ),
        (
            "b.proto",
            b"syntax = \"proto3\";\npackage a.b;\nmessage B {}\n",
        ),
        (
            "user.proto",
            b"syntax = \"proto3\";\npackage a;\nimport \"outer.proto\";\nmessage M { b.B b = 1; }\n",
        ),
    ];
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(directory.path().join(name), text).unwrap();
    }
    let read = |names: &[&str]| {
        let sources = Sources::new(names, &[directory.path()]).unwrap();
        FrontEnd::Protox.read(&sources).map(|_| ())
    };
    assert!(read(&["user.proto"]).is_ok());
    let error = read(&["user.proto", "set.proto"]).unwrap_err().to_string();
    let error = error.replace(&format!("{}/", directory.path().display()), "");
    assert!(error.starts_with("set.proto:3:53: "), "{error}");
    assert!(
        error.contains("= help: only a message with `message_set_wire_format`"),
        "{error}"
    );
    assert!(!error.contains("user.proto"), "{error}");
    let sources = Sources::new(&["set.proto"], &[directory.path()]).unwrap();
    assert!(protoc().read(&sources).is_ok());
}

#[test]
fn programs_and_files_that_are_missing() {
    let file: (&str, &[u8]) = ("a.proto", b"syntax = \"proto3\";\n");
    let error = refused(&FrontEnd::Protoc(PathBuf::from("no/such/protoc")), &[file]);
    assert!(
        error.starts_with("there is no protoc at no/such/protoc. Install one (Debian: "),
        "{error}"
    );
    let error = refused(
        &FrontEnd::DescriptorSet(PathBuf::from("no/such.set")),
        &[file],
    );
    assert!(
        error.starts_with("cannot read the descriptor set no/such.set: "),
        "{error}"
    );
}

#[test]
fn what_was_read_is_told() {
    tells_what_it_reads(&protoc());
}

#[cfg(feature = "vendored-protoc")]
#[test]
fn the_vendored_protoc_reads_editions() {
    let directory = tempfile::tempdir().unwrap();
    let text = "edition = \"2024\";\nmessage A {}\n";
    fs::write(directory.path().join("a.proto"), text).unwrap();
    let sources = Sources::new(&["a.proto"], &[directory.path()]).unwrap();
    let read = FrontEnd::VendoredProtoc.read(&sources).unwrap();
    assert_eq!(read.files, [directory.path().join("a.proto")]);
}
