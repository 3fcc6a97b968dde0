//! The front-ends that read `.proto` files. Each returns the same: the raw bytes of a
//! `FileDescriptorSet` with all imports and source info, so that the generated code does not
//! depend on the choice.

mod descriptor_set;
#[cfg(feature = "protobuf-parse")]
mod protobuf_parse;
mod protoc;
#[cfg(feature = "protox")]
mod protox;

use std::path::PathBuf;

use crate::error::Error;
use crate::sources::Sources;

/// The parser of the `.proto` files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrontEnd {
    /// The compiler inside this crate, written in Rust, of the feature `protox`: needs no
    /// installed program. It supports proto2 and proto3, not editions. It is the default if
    /// the feature `protox` is on, which it is by default.
    #[cfg(feature = "protox")]
    #[default]
    Protox,
    /// The protoc of this path. For edition 2023 it must be protoc 27 or newer,
    /// for edition 2024 protoc 32.
    Protoc(PathBuf),
    /// The protoc the environment's `PROTOC` names, else the one on the `PATH`.
    /// The default where the feature `protox` is off.
    #[cfg_attr(not(feature = "protox"), default)]
    ProtocFromEnv,
    /// A protoc that comes as a crate, of the feature `vendored-protoc`: nothing
    /// has to be installed, but cargo downloads some 94 MB. It knows editions
    /// 2023 and 2024.
    #[cfg(feature = "vendored-protoc")]
    VendoredProtoc,
    /// A `FileDescriptorSet` made before, with all imports and, for comments
    /// and the places of errors, source info:
    /// `protoc --include_imports --include_source_info --descriptor_set_out=…`.
    DescriptorSet(PathBuf),
    /// The parser of the crate `protobuf-parse`, which is a part of rust-protobuf and
    /// written in Rust; of the feature `protobuf-parse`. For projects that have to read
    /// their files by that crate; [`FrontEnd::Protox`] reads more and costs less.
    ///
    /// It reads proto2 and proto3, no editions. Generated code has no comments, since
    /// the parser drops them. Some valid files are refused, with an error that says so.
    /// Files are read by [`FrontEnd::Protox`] first, because the parser accepts
    /// invalid files too and panics on some of them.
    #[cfg(feature = "protobuf-parse")]
    ProtobufParse,
}

/// The output of a front-end.
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
            #[cfg(feature = "protox")]
            Self::Protox => protox::read(sources),
            Self::Protoc(path) => protoc::read(sources, path),
            Self::ProtocFromEnv => protoc::read_from_env(sources),
            #[cfg(feature = "vendored-protoc")]
            Self::VendoredProtoc => protoc::read_vendored(sources),
            Self::DescriptorSet(path) => descriptor_set::read(path),
            #[cfg(feature = "protobuf-parse")]
            Self::ProtobufParse => protobuf_parse::read(sources),
        }
    }
}

#[cfg(test)]
mod tests;
