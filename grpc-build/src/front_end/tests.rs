//! Mistakes in `.proto` files, as each front-end tells them.

use std::fs;
use std::path::PathBuf;

#[cfg(feature = "protobuf-parse")]
use prost::Message as _;
#[cfg(feature = "protobuf-parse")]
use prost_types::FileDescriptorSet;

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
fn editions_are_refused_with_what_to_do() {
    let error = refused(&FrontEnd::Protox, &[("a.proto", b"edition = \"2023\";\n")]);
    assert!(
        error.starts_with(
            "a.proto:1:1: editions are read by a protoc only. Use FrontEnd::ProtocFromEnv"
        ),
        "{error}"
    );
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

/// What its parser would take, panic on, or overflow the stack with, is told by
/// protox, with its place.
#[cfg(feature = "protobuf-parse")]
#[test]
fn protobuf_parse_sees_valid_files_only() {
    let files: [&[(&str, &[u8])]; 3] = [
        &[("a.proto", b"syntax = \"proto3\";\nimport \"a.proto\";\n")],
        &[(
            "a.proto",
            b"syntax = \"proto3\";\nmessage A { int32 a = 1; int32 a = 2; }\n",
        )],
        &[("a.proto", b"edition = \"2023\";\n")],
    ];
    for files in files {
        let error = refused(&FrontEnd::ProtobufParse, files);
        assert!(error.starts_with("a.proto:"), "{error}");
    }
}

/// A byte order mark, an import, and a descriptor.proto on the include path
/// that is too new for either parser.
#[cfg(feature = "protobuf-parse")]
#[test]
fn protobuf_parse_reads_what_protox_reads() {
    let directory = tempfile::tempdir().unwrap();
    let google = directory.path().join("google/protobuf");
    fs::create_dir_all(&google).unwrap();
    fs::write(google.join("descriptor.proto"), "edition = \"2024\";\n").unwrap();
    for (name, text) in [
        (
            "a.proto",
            "\u{feff}syntax = \"proto3\";\nimport \"b/b.proto\";\nmessage A { b.B b = 1; }\n",
        ),
        (
            "b/b.proto",
            "syntax = \"proto3\";\npackage b;\nimport \"google/protobuf/descriptor.proto\";\n\
             message B { google.protobuf.FieldOptions options = 1; }\n",
        ),
    ] {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let sources = Sources::new(&["a.proto"], &[directory.path()]).unwrap();
    let read = FrontEnd::ProtobufParse.read(&sources).unwrap();
    let protox = FrontEnd::Protox.read(&sources).unwrap();
    assert_eq!(read.files, protox.files);
    let names = |descriptors: &[u8]| -> Vec<String> {
        let set = FileDescriptorSet::decode(descriptors).unwrap();
        set.file.iter().map(|file| file.name().to_owned()).collect()
    };
    assert_eq!(names(&read.descriptors), names(&protox.descriptors));
}

#[test]
fn the_mistakes_of_all_files_are_told_once() {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("a.proto", "syntax = \"proto3\";\nimport \"c.proto\";\n"),
        ("b.proto", "syntax = \"proto3\";\nimport \"c.proto\";\n"),
        (
            "c.proto",
            "syntax = \"proto3\";\nmessage C { X x = 1; Y y = 2; }\n",
        ),
        ("d.proto", "syntax = \"proto3\";\nmessage {}\n"),
    ] {
        fs::write(directory.path().join(name), text).unwrap();
    }
    let sources = Sources::new(&["a.proto", "b.proto", "d.proto"], &[directory.path()]).unwrap();
    let error = FrontEnd::Protox.read(&sources).unwrap_err().to_string();
    let prefix = format!("{}/", directory.path().display());
    let found: Vec<_> = error
        .split("\n\n")
        .filter_map(|text| text.strip_prefix(&prefix)?.split_once(": "))
        .map(|(place, _)| place)
        .collect();
    assert_eq!(found, ["c.proto:2:13", "c.proto:2:22", "d.proto:2:9"]);
}
