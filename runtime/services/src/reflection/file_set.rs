//! The files of an encoded `FileDescriptorSet`: the bytes of each as they stand there, and
//! decoded. Only the bytes are sent, since a typed message loses custom options.

use bytes::Bytes;
use grpc_runtime::prost::{DecodeError, Message};
use grpc_runtime::prost_types::FileDescriptorProto;

/// `google.protobuf.FileDescriptorSet`, whose files stay bytes.
#[derive(Clone, PartialEq, Message)]
#[prost(prost_path = "::grpc_runtime::prost")]
struct EncodedFiles {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    file: Vec<Bytes>,
}

/// A file of a set.
#[derive(Debug)]
pub(super) struct SetFile {
    /// The bytes that clients get.
    pub(super) bytes: Bytes,
    /// The same, to read.
    pub(super) proto: FileDescriptorProto,
}

/// The files of a set, in its order. They share the set's memory.
pub(super) fn files(set: Bytes) -> Result<Vec<SetFile>, DecodeError> {
    let files = EncodedFiles::decode(set)?.file.into_iter();
    files
        .map(|bytes| {
            let proto = FileDescriptorProto::decode(bytes.clone())?;
            Ok(SetFile { bytes, proto })
        })
        .collect()
}
