//! A front-end's `FileDescriptorSet` → protoc's `CodeGeneratorRequest`, without
//! decoding the files: what this crate's types do not know (editions, custom
//! options) must reach the generator.

use prost::Message;
use prost::encoding::{WireType, decode_key, decode_varint, encode_key, encode_varint};
use prost_types::FileDescriptorProto;
use prost_types::compiler::CodeGeneratorRequest;

use crate::error::Error;

/// `FileDescriptorSet.file`
const SET_FILE: u32 = 1;
/// `CodeGeneratorRequest.proto_file`, which has the same type.
const REQUEST_FILE: u32 = 15;

pub(crate) fn encode(names: &[String], descriptors: &[u8]) -> Result<Vec<u8>, Error> {
    let mut request = CodeGeneratorRequest {
        file_to_generate: names.to_vec(),
        ..CodeGeneratorRequest::default()
    }
    .encode_to_vec();
    for file in files(descriptors)? {
        put(REQUEST_FILE, file, &mut request);
    }
    Ok(request)
}

/// The set of these files alone.
pub(crate) fn subset(names: &[String], descriptors: &[u8]) -> Result<Vec<u8>, Error> {
    let mut set = Vec::new();
    for file in files(descriptors)? {
        if names.contains(&name(file)?) {
            put_file(file, &mut set);
        }
    }
    Ok(set)
}

/// The name in an encoded file.
pub(crate) fn name(file: &[u8]) -> Result<String, Error> {
    let file = FileDescriptorProto::decode(file)
        .map_err(|error| Error::new(format!("the descriptor set is broken: {error}")))?;
    Ok(file.name().to_owned())
}

/// Appends a file to an encoded set.
pub(crate) fn put_file(file: &[u8], set: &mut Vec<u8>) {
    put(SET_FILE, file, set);
}

fn put(field: u32, content: &[u8], out: &mut Vec<u8>) {
    encode_key(field, WireType::LengthDelimited, out);
    encode_varint(content.len() as u64, out);
    out.extend_from_slice(content);
}

/// The bytes of each file of a set.
pub(crate) fn files(set: &[u8]) -> Result<Vec<&[u8]>, Error> {
    let mut files = Vec::new();
    let mut rest = set;
    while !rest.is_empty() {
        let (field, wire_type) = decode_key(&mut rest).map_err(|_| broken())?;
        // A set has nothing but files.
        if (field, wire_type) != (SET_FILE, WireType::LengthDelimited) {
            return Err(broken());
        }
        let length = decode_varint(&mut rest).map_err(|_| broken())?;
        let length = usize::try_from(length).map_err(|_| broken())?;
        let (file, after) = rest.split_at_checked(length).ok_or_else(broken)?;
        files.push(file);
        rest = after;
    }
    Ok(files)
}

pub(crate) fn broken() -> Error {
    Error::new("the descriptor set is not a FileDescriptorSet")
}

#[cfg(test)]
mod tests;
