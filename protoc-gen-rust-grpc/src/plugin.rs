//! protoc's side of the generator: request bytes in, response bytes out. Every
//! failure is told in the response, where protoc prints it; nothing panics.

use prost::{Message, encoding};
use prost_types::compiler::CodeGeneratorResponse;
use prost_types::compiler::code_generator_response::{Feature, File};

use crate::editions;
use crate::error::Error;
use crate::generate;
use crate::options::Options;
use crate::request::Request;

/// `CodeGeneratorResponse.Feature.FEATURE_SUPPORTS_EDITIONS`, and the numbers of
/// the two fields that come with it. prost-types has none of the three.
const SUPPORTS_EDITIONS: u64 = 2;
const MINIMUM_EDITION: u32 = 3;
const MAXIMUM_EDITION: u32 = 4;

/// Answers a `CodeGeneratorRequest` with a `CodeGeneratorResponse`.
///
/// The response declares `optional` in proto3 and the editions up to 2024;
/// protoc refuses files of a newer one with a text of its own.
pub fn respond(request: &[u8]) -> Vec<u8> {
    let mut response = CodeGeneratorResponse {
        supported_features: Some(Feature::Proto3Optional as u64 | SUPPORTS_EDITIONS),
        ..CodeGeneratorResponse::default()
    };
    match run(request) {
        Ok(files) => response.file = files,
        Err(error) => response.error = Some(error.to_string()),
    }
    let mut bytes = response.encode_to_vec();
    encoding::int32::encode(MINIMUM_EDITION, &editions::MINIMUM, &mut bytes);
    encoding::int32::encode(MAXIMUM_EDITION, &editions::MAXIMUM, &mut bytes);
    bytes
}

fn run(request: &[u8]) -> Result<Vec<File>, Error> {
    let request = Request::decode(request)?;
    let options = Options::parse(request.parameter())?;
    let files = generate(&request, &options)?;
    Ok(files
        .into_iter()
        .map(|file| File {
            name: Some(file.name),
            content: Some(file.text),
            ..File::default()
        })
        .collect())
}

#[cfg(test)]
mod tests;
