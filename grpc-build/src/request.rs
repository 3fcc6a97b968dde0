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
        encode_key(REQUEST_FILE, WireType::LengthDelimited, &mut request);
        encode_varint(file.len() as u64, &mut request);
        request.extend_from_slice(file);
    }
    Ok(request)
}

/// The set of these files alone.
pub(crate) fn subset(names: &[String], descriptors: &[u8]) -> Result<Vec<u8>, Error> {
    let mut set = Vec::new();
    for file in files(descriptors)? {
        let typed = FileDescriptorProto::decode(file)
            .map_err(|error| Error::new(format!("the descriptor set is broken: {error}")))?;
        if names.iter().any(|name| name == typed.name()) {
            encode_key(SET_FILE, WireType::LengthDelimited, &mut set);
            encode_varint(file.len() as u64, &mut set);
            set.extend_from_slice(file);
        }
    }
    Ok(set)
}

/// The bytes of each file of a set.
fn files(set: &[u8]) -> Result<Vec<&[u8]>, Error> {
    let broken = || Error::new("the descriptor set is not a FileDescriptorSet");
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

#[cfg(test)]
mod tests;
