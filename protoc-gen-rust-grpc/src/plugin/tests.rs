//! Requests no well-behaved protoc would send.

use prost::Message;
use prost_types::compiler::{CodeGeneratorRequest, CodeGeneratorResponse};
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, EnumDescriptorProto, EnumValueDescriptorProto, FieldDescriptorProto,
    FileDescriptorProto, MethodDescriptorProto, ServiceDescriptorProto, SourceCodeInfo,
};

use super::respond;

fn ask(parameter: &str, files: Vec<FileDescriptorProto>) -> CodeGeneratorResponse {
    let request = CodeGeneratorRequest {
        file_to_generate: vec!["a.proto".to_owned()],
        parameter: Some(parameter.to_owned()),
        proto_file: files,
        ..CodeGeneratorRequest::default()
    };
    CodeGeneratorResponse::decode(&respond(&request.encode_to_vec()).response[..]).unwrap()
}

fn file(messages: Vec<DescriptorProto>) -> FileDescriptorProto {
    FileDescriptorProto {
        name: Some("a.proto".to_owned()),
        package: Some("a".to_owned()),
        syntax: Some("proto3".to_owned()),
        message_type: messages,
        ..FileDescriptorProto::default()
    }
}

fn message(name: &str, fields: Vec<FieldDescriptorProto>) -> DescriptorProto {
    DescriptorProto {
        name: Some(name.to_owned()),
        field: fields,
        ..DescriptorProto::default()
    }
}

fn field(name: &str, kind: Type, type_name: &str) -> FieldDescriptorProto {
    FieldDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(1),
        label: Some(Label::Optional as i32),
        r#type: Some(kind as i32),
        type_name: (!type_name.is_empty()).then(|| type_name.to_owned()),
        ..FieldDescriptorProto::default()
    }
}

#[track_caller]
fn refused(files: Vec<FileDescriptorProto>, why: &str) {
    let error = ask("", files).error.unwrap_or_default();
    assert!(error.contains(why), "{error}");
}

#[test]
fn the_response_declares_proto3_optional_and_editions() {
    let response = ask("", vec![file(vec![message("M", Vec::new())])]);
    assert_eq!(response.error, None);
    assert_eq!(response.supported_features, Some(3));
    assert_eq!(response.file[0].name(), "a.rs");
}

#[test]
fn bytes_that_are_no_request() {
    let response = CodeGeneratorResponse::decode(&respond(b"\xff\xff").response[..]).unwrap();
    assert!(response.error().starts_with("not a CodeGeneratorRequest"));
}

#[test]
fn a_wrong_option_is_told() {
    let error = ask("cleint=false", vec![file(Vec::new())]).error.unwrap();
    assert!(error.contains("unknown option `cleint`"), "{error}");
}

#[test]
fn a_file_that_is_not_described() {
    refused(Vec::new(), "a.proto: asked for, but not among the files");
}

#[test]
fn an_unknown_syntax() {
    let mut unknown = file(Vec::new());
    unknown.syntax = Some("proto4".to_owned());
    refused(vec![unknown], "unknown syntax `proto4`");
}

#[test]
fn types_that_are_not_described() {
    for name in [".b.Missing", "unlinked", ""] {
        let user = message("M", vec![field("b", Type::Message, name)]);
        refused(vec![file(vec![user])], "is in none of the files described");
    }
    let mut unlinked = field("b", Type::Message, ".a.M");
    unlinked.r#type = None;
    refused(
        vec![file(vec![message("M", vec![unlinked])])],
        "has no known type",
    );

    let mut with_service = file(Vec::new());
    with_service.service = vec![ServiceDescriptorProto {
        name: Some("S".to_owned()),
        method: vec![MethodDescriptorProto {
            name: Some("M".to_owned()),
            ..MethodDescriptorProto::default()
        }],
        ..ServiceDescriptorProto::default()
    }];
    refused(vec![with_service], "is in none of the files described");
}

#[test]
fn names_that_are_none() {
    for name in ["", "a b", "1a", "a.b", "é", "a\nb"] {
        refused(
            vec![file(vec![message(name, Vec::new())])],
            "has characters no proto name has",
        );
    }
    refused(
        vec![file(vec![message("__", Vec::new())])],
        "has no letter or digit",
    );
    let mut package = file(Vec::new());
    package.package = Some("a..b".to_owned());
    refused(vec![package], "`a..b` is no package name");
}

#[test]
fn source_info_without_any_place() {
    let mut bare = file(vec![message("M", vec![field("f", Type::Int32, "")])]);
    bare.source_code_info = Some(SourceCodeInfo::default());
    assert_eq!(ask("", vec![bare]).error, None);
}

#[test]
fn a_broken_map_entry() {
    let mut entry = message("E", Vec::new());
    entry.options = Some(prost_types::MessageOptions {
        map_entry: Some(true),
        ..prost_types::MessageOptions::default()
    });
    let mut outer = message("M", Vec::new());
    outer.nested_type = vec![entry];
    refused(
        vec![file(vec![outer])],
        "must have the fields key and value",
    );
}

#[test]
fn a_default_prost_build_panics_on_is_an_error() {
    let mut broken = field("f", Type::Bytes, "");
    broken.default_value = Some("\\".to_owned());
    let mut old = file(vec![message("M", vec![broken])]);
    old.syntax = Some("proto2".to_owned());
    refused(vec![old], "prost-build could not generate messages");
}

fn enum_with(values: &[(&str, i32)]) -> EnumDescriptorProto {
    EnumDescriptorProto {
        name: Some("E".to_owned()),
        value: values
            .iter()
            .map(|(name, number)| EnumValueDescriptorProto {
                name: Some((*name).to_owned()),
                number: Some(*number),
                ..EnumValueDescriptorProto::default()
            })
            .collect(),
        ..EnumDescriptorProto::default()
    }
}

#[test]
fn values_that_become_one_variant() {
    let mut own = file(Vec::new());
    own.enum_type = vec![enum_with(&[("FOO_BAR", 0), ("E_FOO_BAR", 1)])];
    refused(
        vec![own],
        "the value `E_FOO_BAR` and the value `FOO_BAR` both become `FooBar`",
    );

    let mut alias = file(Vec::new());
    alias.enum_type = vec![enum_with(&[("FOO_BAR", 0), ("FooBar", 0)])];
    assert_eq!(ask("", vec![alias]).error, None);
}

#[test]
fn what_is_imported_may_be_what_prost_build_cannot_generate() {
    let mut imported = file(Vec::new());
    imported.name = Some("b.proto".to_owned());
    imported.package = Some("b".to_owned());
    imported.enum_type = vec![enum_with(&[("FOO_BAR", 0), ("FooBar", 1)])];
    let user = file(vec![message("M", vec![field("e", Type::Enum, ".b.E")])]);
    assert_eq!(ask("", vec![imported, user]).error, None);
}
