//! Who reads `.proto` files. Every front-end gives the same: the raw bytes of a
//! `FileDescriptorSet` with all imports and source info, so that the generator
//! cannot tell them apart.

mod descriptor_set;
mod protoc;
mod protox;

use std::path::PathBuf;

use crate::error::Error;
use crate::sources::Sources;

/// Who reads the `.proto` files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrontEnd {
    /// The compiler inside this crate, written in Rust: needs nothing on the
    /// machine. It knows proto2 and proto3, not editions.
    #[default]
    Protox,
    /// The protoc of this path.
    Protoc(PathBuf),
    /// The protoc the environment's `PROTOC` names, else the one on the `PATH`.
    ProtocFromEnv,
    /// A `FileDescriptorSet` made before, with all imports and, for comments
    /// and the places of errors, source info: `protoc --include_imports
    /// --include_source_info --descriptor_set_out=…`.
    DescriptorSet(PathBuf),
}

/// What a front-end has read.
#[derive(Debug)]
pub(crate) struct Read {
    /// An encoded `FileDescriptorSet`.
    pub(crate) descriptors: Vec<u8>,
    /// Every file that was looked into.
    pub(crate) files: Vec<PathBuf>,
    /// Every environment variable that was looked at.
    pub(crate) variables: Vec<&'static str>,
}

impl FrontEnd {
    pub(crate) fn read(&self, sources: &Sources) -> Result<Read, Error> {
        match self {
            Self::Protox => protox::read(sources),
            Self::Protoc(path) => protoc::read(sources, path),
            Self::ProtocFromEnv => protoc::read_from_env(sources),
            Self::DescriptorSet(path) => descriptor_set::read(path),
        }
    }
}

#[cfg(test)]
mod tests;
