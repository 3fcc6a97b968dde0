//! Encodings that differ, and the one that comes out.

use prost::Message;
use prost_types::compiler::CodeGeneratorRequest;
use prost_types::field_descriptor_proto::Type;
use prost_types::{
    FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet, FileOptions, SourceCodeInfo,
};

use super::{DescriptorKind, closure, in_order};
use crate::request::Request;

#[test]
fn fields_are_put_in_order_at_every_depth() {
    let options = FileOptions {
        java_package: Some("j".to_owned()),
        go_package: Some("g".to_owned()),
        ..FileOptions::default()
    };
    let encoded = options.encode_to_vec();
    // java_package is 1, go_package 11; the name of the file is 1, options are 8.
    let (java, go) = encoded.split_at(3);
    let mut reversed = vec![0x42, 6];
    reversed.extend_from_slice(go);
    reversed.extend_from_slice(java);
    reversed.extend_from_slice(&[0x4a, 0, 0x0a, 1, b'a']);
    let file = FileDescriptorProto {
        name: Some("a".to_owned()),
        options: Some(options),
        ..FileDescriptorProto::default()
    };
    assert_eq!(
        in_order(DescriptorKind::File, &reversed).unwrap(),
        file.encode_to_vec()
    );
}

#[test]
fn a_number_is_written_in_one_way() {
    let default = |kind: Type, text: &str| {
        let mut field = FieldDescriptorProto {
            default_value: Some(text.to_owned()),
            ..FieldDescriptorProto::default()
        };
        field.set_type(kind);
        let bytes = in_order(DescriptorKind::Field, &field.encode_to_vec()).unwrap();
        let field = FieldDescriptorProto::decode(&bytes[..]).unwrap();
        field.default_value().to_owned()
    };
    for text in ["-9e+09", "-9000000000", "-9e9"] {
        assert_eq!(default(Type::Double, text), "-9000000000.0");
        assert_eq!(default(Type::Float, text), "-9000000000.0");
        assert_eq!(default(Type::String, text), text);
    }
    assert_eq!(default(Type::Float, "0.100000001"), "0.1");
    for text in ["inf", "-inf", "nan"] {
        assert_eq!(default(Type::Double, text), text);
    }
}

#[test]
fn what_no_type_knows_passes_through() {
    let mut bytes = FieldDescriptorProto::default().encode_to_vec();
    // A custom option, of number 50,000, within the options.
    bytes.extend_from_slice(&[0x42, 4, 0x80, 0xb5, 0x18, 7]);
    assert_eq!(in_order(DescriptorKind::Field, &bytes).unwrap(), bytes);
}

#[test]
fn bytes_that_are_no_message() {
    for bytes in [&[0x0a, 5, 1][..], &[0x08], &[0xff], &[0x0b], &[0x09, 1]] {
        assert!(in_order(DescriptorKind::File, bytes).is_err(), "{bytes:?}");
    }
}

fn file(name: &str, imports: &[&str]) -> FileDescriptorProto {
    FileDescriptorProto {
        name: Some(name.to_owned()),
        dependency: imports.iter().map(|&import| import.to_owned()).collect(),
        source_code_info: Some(SourceCodeInfo::default()),
        ..FileDescriptorProto::default()
    }
}

#[test]
fn a_set_holds_imports_before_what_imports_them_and_nothing_else() {
    let mut files = [
        file("a", &["c", "b"]),
        file("b", &["d"]),
        file("c", &["d"]),
        file("d", &[]),
        file("e", &["a"]),
    ];
    let mut sets = Vec::new();
    for _ in 0..2 {
        files.reverse();
        let request = CodeGeneratorRequest {
            proto_file: files.to_vec(),
            ..CodeGeneratorRequest::default()
        };
        let request = Request::decode(&request.encode_to_vec()).unwrap();
        let set = closure(&request, &["b", "a"]).unwrap();
        let set = FileDescriptorSet::decode(&set[..]).unwrap();
        assert!(set.file.iter().all(|file| file.source_code_info.is_none()));
        sets.push(
            set.file
                .iter()
                .map(|file| file.name().to_owned())
                .collect::<Vec<_>>(),
        );
    }
    assert_eq!(sets[0], ["d", "b", "c", "a"]);
    assert_eq!(sets[0], sets[1]);
}
