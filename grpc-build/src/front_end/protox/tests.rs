//! protox: its reports of mistakes, and the list of files that it has read.

use std::fs;

use super::super::FrontEnd;
use super::super::tests::{ORPHAN, UNDEFINED, UNDEFINED_SHOWN, refused, tells_what_it_reads};
use crate::sources::Sources;

#[test]
fn a_type_that_does_not_exist() {
    let error = refused(&FrontEnd::Protox, &[("a.proto", UNDEFINED)]);
    assert!(
        error.starts_with("a.proto:3:2: name 'Missing' is not defined"),
        "{error}"
    );
    assert!(error.ends_with(UNDEFINED_SHOWN), "{error}");
}

#[test]
fn an_import_that_does_not_exist() {
    let error = refused(&FrontEnd::Protox, &[("a.proto", ORPHAN)]);
    assert!(
        error.starts_with("a.proto:2:1: import 'no/such.proto' not found"),
        "{error}"
    );
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
}

#[test]
fn what_was_read_is_told() {
    tells_what_it_reads(&FrontEnd::Protox);
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

/// Only fields and oneofs count; what the compiler names first is taken too.
#[test]
fn the_oneof_behind_an_optional_takes_a_free_name() {
    use prost::Message as _;

    let text = "syntax = \"proto3\";
message M {
  optional string a = 1;
  oneof _a { string x = 2; }
  oneof X_a { string y = 3; }
  optional int32 _b = 4;
  message N { optional int32 c = 1; oneof _c { string x = 2; } }
}
";
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("a.proto"), text).unwrap();
    let sources = Sources::new(&["a.proto"], &[directory.path()]).unwrap();
    let protoc = FrontEnd::Protoc(protoc_bin_vendored::protoc_bin_path().unwrap());
    let [ours, theirs] = [FrontEnd::Protox, protoc].map(|front_end| {
        let read = front_end.read(&sources).unwrap();
        let set = prost_types::FileDescriptorSet::decode(&read.descriptors[..]).unwrap();
        set.file[0].message_type.clone()
    });
    let oneofs = ours[0].oneof_decl.iter();
    let names: Vec<&str> = oneofs
        .map(prost_types::OneofDescriptorProto::name)
        .collect();
    assert_eq!(names, ["_a", "X_a", "XX_a", "X_b"]);
    assert_eq!(ours, theirs);
}

/// A tab reaches to the next multiple of eight, as it does for protoc.
#[test]
fn places_behind_tabs_are_protocs() {
    use prost::Message as _;

    let text = "syntax = \"proto3\";\nmessage M {\n\tint32\ta = 1;\n}\n";
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("a.proto"), text).unwrap();
    let sources = Sources::new(&["a.proto"], &[directory.path()]).unwrap();
    let protoc = FrontEnd::Protoc(protoc_bin_vendored::protoc_bin_path().unwrap());
    let [ours, theirs] = [FrontEnd::Protox, protoc].map(|front_end| {
        let read = front_end.read(&sources).unwrap();
        let set = prost_types::FileDescriptorSet::decode(&read.descriptors[..]).unwrap();
        let info = set.file[0].source_code_info.clone().unwrap();
        let field = info
            .location
            .into_iter()
            .find(|it| it.path == [4, 0, 2, 0, 1]);
        field.unwrap().span
    });
    assert_eq!(ours, [2, 16, 17]);
    assert_eq!(ours, theirs);
}
