//! Bytes in, bytes out.

use prost::Message;
use prost_types::compiler::CodeGeneratorRequest;
use prost_types::{FileDescriptorProto, FileDescriptorSet};

use super::encode;

#[test]
fn files_are_passed_on() {
    let file = |name: &str| FileDescriptorProto {
        name: Some(name.to_owned()),
        ..FileDescriptorProto::default()
    };
    let set = FileDescriptorSet {
        file: vec![file("a.proto"), file(&"b".repeat(300))],
    };
    let names = vec!["a.proto".to_owned()];
    let bytes = encode(&names, &set.encode_to_vec()).unwrap();
    let request = CodeGeneratorRequest::decode(&bytes[..]).unwrap();
    assert_eq!(request.file_to_generate, names);
    assert_eq!(request.proto_file, set.file);
}

#[test]
fn unknown_fields_of_files_survive() {
    // A file with nothing but field 14 (edition), a varint of 1000.
    let bytes = encode(&[], b"\x0a\x03\x70\xe8\x07").unwrap();
    assert_eq!(bytes, b"\x7a\x03\x70\xe8\x07");
}

#[test]
fn what_is_no_set() {
    for bytes in [
        &b"\x0a\x05abc"[..],
        b"\x12\x00",
        b"\x0a",
        b"text",
        b"\xff\xff",
    ] {
        assert_eq!(
            encode(&[], bytes).unwrap_err().to_string(),
            "the descriptor set is not a FileDescriptorSet"
        );
    }
}
