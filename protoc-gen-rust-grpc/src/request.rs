//! A front-end's request: the files to generate and all their imports.
//! [`crate::descriptors`] validates it before other code uses its contents.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message;
use prost_types::FileDescriptorProto;
use prost_types::compiler::CodeGeneratorRequest;

use crate::descriptor_set;
use crate::editions;
use crate::error::Error;

/// A decoded `CodeGeneratorRequest`, whichever front-end it comes from.
#[derive(Clone, Debug)]
pub struct Request {
    parameter: String,
    to_generate: BTreeSet<String>,
    files: Vec<FileDescriptorProto>,
    /// The bytes of each file as received, in the same order: only they hold what
    /// prost-types drops (custom options, features of editions).
    encoded: Vec<Vec<u8>>,
    /// The files that use an edition, whose syntax above is another.
    editions: BTreeSet<String>,
}

impl Request {
    /// Reads the bytes protoc sends to a plugin.
    ///
    /// Fails if the bytes are not a `CodeGeneratorRequest`, or if a file to generate is not
    /// described or has an unknown edition.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut request = CodeGeneratorRequest::decode(bytes)
            .map_err(|error| Error::new(format!("not a CodeGeneratorRequest: {error}")))?;
        let to_generate: BTreeSet<String> = request.file_to_generate.into_iter().collect();
        for name in &to_generate {
            if !request.proto_file.iter().any(|file| file.name() == name) {
                return Err(Error::in_file(
                    name,
                    "asked for, but not among the files described",
                ));
            }
        }
        let editions = request.proto_file.iter();
        let editions = editions.filter(|file| file.syntax() == "editions");
        let editions = editions.map(|file| file.name().to_owned()).collect();
        editions::lower(bytes, &mut request.proto_file, |name| {
            to_generate.contains(name)
        })?;
        Ok(Self {
            parameter: request.parameter.unwrap_or_default(),
            to_generate,
            files: request.proto_file,
            encoded: descriptor_set::files(bytes)?,
            editions,
        })
    }

    /// The plugin's options, as `name=value,name=value`.
    pub fn parameter(&self) -> &str {
        &self.parameter
    }

    pub(crate) fn files(&self) -> &[FileDescriptorProto] {
        &self.files
    }

    /// The files with the bytes each came as.
    pub(crate) fn encoded(&self) -> impl Iterator<Item = (&FileDescriptorProto, &[u8])> {
        let encoded = self.encoded.iter().map(Vec::as_slice);
        self.files.iter().zip(encoded)
    }

    /// Whether the file was written in an edition, not in proto2 or proto3.
    pub(crate) fn has_edition(&self, file: &FileDescriptorProto) -> bool {
        self.editions.contains(file.name())
    }

    pub(crate) fn generates(&self, file: &FileDescriptorProto) -> bool {
        self.to_generate.contains(file.name())
    }

    /// The files of each package that is generated, by file name: no order but
    /// this one is the same for every front-end.
    pub(crate) fn packages(&self) -> BTreeMap<&str, Vec<&FileDescriptorProto>> {
        let mut packages: BTreeMap<&str, Vec<&FileDescriptorProto>> = BTreeMap::new();
        for file in self.files.iter().filter(|file| self.generates(file)) {
            packages.entry(file.package()).or_default().push(file);
        }
        for files in packages.values_mut() {
            files.sort_by(|a, b| a.name().cmp(b.name()));
        }
        packages
    }
}
