//! protoc's side of the generator: request bytes in, response bytes out. Every
//! failure is told in the response, where protoc prints it; nothing panics.

use prost::Message;
use prost_types::compiler::CodeGeneratorResponse;
use prost_types::compiler::code_generator_response::{Feature, File};

use crate::error::Error;
use crate::generate;
use crate::options::Options;
use crate::request::Request;

/// Answers a `CodeGeneratorRequest` with a `CodeGeneratorResponse`.
///
/// The response declares `optional` in proto3. It does not declare editions:
/// protoc then refuses files that use them, with a text of its own.
pub fn respond(request: &[u8]) -> Vec<u8> {
    let mut response = CodeGeneratorResponse {
        supported_features: Some(Feature::Proto3Optional as u64),
        ..CodeGeneratorResponse::default()
    };
    match run(request) {
        Ok(files) => response.file = files,
        Err(error) => response.error = Some(error.to_string()),
    }
    response.encode_to_vec()
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
