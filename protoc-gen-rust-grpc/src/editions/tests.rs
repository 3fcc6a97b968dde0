//! Editions no protoc at hand would let through.

use prost::Message as _;
use prost_types::FileDescriptorProto;
use prost_types::compiler::CodeGeneratorRequest;

use super::wire;
use crate::request::Request;

/// A request for `a.proto`, with a second file beside it; both of `edition`.
fn request(edition: i32, names: [&str; 2]) -> Vec<u8> {
    let mut bytes = CodeGeneratorRequest {
        file_to_generate: vec!["a.proto".to_owned()],
        ..CodeGeneratorRequest::default()
    }
    .encode_to_vec();
    for name in names {
        let mut file = FileDescriptorProto {
            name: Some(name.to_owned()),
            syntax: Some("editions".to_owned()),
            ..FileDescriptorProto::default()
        }
        .encode_to_vec();
        wire::RawFile {
            edition: Some(edition),
            ..wire::RawFile::default()
        }
        .encode(&mut file)
        .unwrap();
        prost::encoding::bytes::encode(15, &file, &mut bytes);
    }
    bytes
}

#[test]
fn known_editions_become_proto3() {
    for edition in [1000, 1001] {
        let request = Request::decode(&request(edition, ["a.proto", "b.proto"])).unwrap();
        assert!(
            request.files().iter().all(|file| file.syntax() == "proto3"),
            "{edition}"
        );
    }
}

#[test]
fn an_edition_from_the_future_is_refused_where_it_is_generated() {
    for edition in [0, 998, 1002, 9999, i32::MAX] {
        let error = Request::decode(&request(edition, ["b.proto", "a.proto"])).unwrap_err();
        assert_eq!(error.diagnostics()[0].file(), Some("a.proto"));
        assert!(
            error.diagnostics()[0]
                .message()
                .starts_with("this edition is not known"),
            "{error}"
        );
    }
}
