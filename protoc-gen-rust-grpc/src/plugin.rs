//! protoc's side of the generator: request bytes in, response bytes out. Every failure is
//! reported in the response, which protoc prints; there are no panics.

use prost::{Message, encoding};
use prost_types::compiler::CodeGeneratorResponse;
use prost_types::compiler::code_generator_response::{Feature, File};

use crate::editions;
use crate::error::{Diagnostic, Error};
use crate::options::Options;
use crate::request::Request;
use crate::{Generated, generate, not_generated};

/// `CodeGeneratorResponse.Feature.FEATURE_SUPPORTS_EDITIONS`, and the numbers of
/// the two fields that come with it. prost-types has none of the three.
const SUPPORTS_EDITIONS: u64 = 2;
const MINIMUM_EDITION: u32 = 3;
const MAXIMUM_EDITION: u32 = 4;

/// The response for protoc, and warnings for the user.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PluginReply {
    /// An encoded `CodeGeneratorResponse`.
    pub response: Vec<u8>,
    /// For standard error, which protoc passes on; a response has no place for
    /// warnings.
    pub warnings: Vec<Diagnostic>,
}

/// Answers a `CodeGeneratorRequest`.
///
/// The response declares `optional` in proto3 and the editions up to 2024; protoc itself
/// refuses files of a newer edition.
pub fn respond(request: &[u8]) -> PluginReply {
    let mut response = CodeGeneratorResponse {
        supported_features: Some(Feature::Proto3Optional as u64 | SUPPORTS_EDITIONS),
        ..CodeGeneratorResponse::default()
    };
    let mut warnings = Vec::new();
    match run(request) {
        Ok(generated) => {
            response.file = generated
                .files
                .into_iter()
                .map(|file| File {
                    name: Some(file.name),
                    content: Some(file.text),
                    ..File::default()
                })
                .collect();
            warnings = generated.warnings;
        }
        Err(error) => response.error = Some(error.to_string()),
    }
    let mut bytes = response.encode_to_vec();
    encoding::int32::encode(MINIMUM_EDITION, &editions::MINIMUM, &mut bytes);
    encoding::int32::encode(MAXIMUM_EDITION, &editions::MAXIMUM, &mut bytes);
    PluginReply {
        response: bytes,
        warnings,
    }
}

fn run(request: &[u8]) -> Result<Generated, Error> {
    let request = Request::decode(request)?;
    let options = Options::parse(request.parameter())?;
    let mut generated = generate(&request, &options)?;
    // With an include file all packages come of this one run; without, another run
    // of protoc may generate what this one imports.
    if options.include_file.is_some() {
        generated.warnings.extend(not_generated(&request, &options));
    }
    Ok(generated)
}

#[cfg(test)]
mod tests;
