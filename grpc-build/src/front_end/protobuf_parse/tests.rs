//! The parser's input and output.

use std::fs;

use prost::Message as _;
use prost_types::FileDescriptorSet;

use super::super::FrontEnd;
use super::super::tests::refused;
use crate::sources::Sources;

/// What its parser would take, panic on, or overflow the stack with, is told by
/// protox, with its place.
#[test]
fn sees_valid_files_only() {
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
#[test]
fn reads_what_protox_reads() {
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
