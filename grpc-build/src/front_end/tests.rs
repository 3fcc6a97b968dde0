//! Mistakes in `.proto` files, as each front-end tells them.

use std::fs;
use std::path::PathBuf;

use super::FrontEnd;
use crate::sources::Sources;

fn protoc() -> FrontEnd {
    FrontEnd::Protoc(protoc_bin_vendored::protoc_bin_path().unwrap())
}

#[track_caller]
fn refused(front_end: &FrontEnd, files: &[(&str, &[u8])]) -> String {
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

#[test]
fn a_type_that_does_not_exist() {
    let file: (&str, &[u8]) = (
        "a.proto",
        b"syntax = \"proto3\";\nmessage A {\n\tMissing x = 1;\n}\n",
    );
    let shown = "\n   |\n 3 | \tMissing x = 1;\n   | \t^^^^^^^";
    let by_protox = refused(&FrontEnd::Protox, &[file]);
    assert!(
        by_protox.starts_with("a.proto:3:2: name 'Missing' is not defined"),
        "{by_protox}"
    );
    assert!(by_protox.ends_with(shown), "{by_protox}");
    let by_protoc = refused(&protoc(), &[file]);
    assert_eq!(
        by_protoc,
        format!("a.proto:3:2: \"Missing\" is not defined.{shown}")
    );
}

#[test]
fn an_import_that_does_not_exist() {
    let file: (&str, &[u8]) = (
        "a.proto",
        b"syntax = \"proto3\";\nimport \"no/such.proto\";\n",
    );
    let by_protox = refused(&FrontEnd::Protox, &[file]);
    assert!(
        by_protox.starts_with("a.proto:2:1: import 'no/such.proto' not found"),
        "{by_protox}"
    );
    let by_protoc = refused(&protoc(), &[file]);
    assert!(
        by_protoc.starts_with("a.proto:2:1: Import \"no/such.proto\" was not found"),
        "{by_protoc}"
    );
    assert!(by_protoc.contains("File not found"), "{by_protoc}");
}

#[test]
fn a_mistake_in_an_import_is_shown_there() {
    let error = refused(
        &FrontEnd::Protox,
        &[
            ("a.proto", b"syntax = \"proto3\";\nimport \"b.proto\";\n"),
            (
                "b.proto",
                b"\xef\xbb\xbfsyntax = \"proto3\";\nmessage B { int32 x }\n",
            ),
        ],
    );
    assert!(error.starts_with("b.proto:2:21: expected '='"), "{error}");
}

#[test]
fn import_cycles_and_files_that_are_no_text() {
    let error = refused(
        &FrontEnd::Protox,
        &[
            ("a.proto", b"syntax = \"proto3\";\nimport \"b.proto\";\n"),
            ("b.proto", b"syntax = \"proto3\";\nimport \"a.proto\";\n"),
        ],
    );
    assert!(
        error.contains("import cycle detected: a.proto -> b.proto -> a.proto"),
        "{error}"
    );
    let error = refused(&FrontEnd::Protox, &[("a.proto", b"// \xff\n")]);
    assert!(
        error.contains("cannot read") && error.contains("a.proto"),
        "{error}"
    );
}

#[test]
fn editions_are_refused() {
    let error = refused(&FrontEnd::Protox, &[("a.proto", b"edition = \"2023\";\n")]);
    assert!(
        error.starts_with("a.proto:1:1: editions are not supported yet"),
        "{error}"
    );
}

#[test]
fn programs_and_files_that_are_missing() {
    let file: (&str, &[u8]) = ("a.proto", b"syntax = \"proto3\";\n");
    let error = refused(&FrontEnd::Protoc(PathBuf::from("no/such/protoc")), &[file]);
    assert!(
        error.starts_with("there is no protoc at no/such/protoc"),
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
    for front_end in [FrontEnd::Protox, protoc()] {
        let read = front_end.read(&sources).unwrap();
        assert_eq!(read.files, expected, "{front_end:?}");
        assert!(read.variables.is_empty());
    }
}
