//! Full names of protobuf, with the leading dot that descriptors give them.

use prost_types::FileDescriptorProto;

/// A type's full name with a leading dot.
pub(crate) fn full_name(scope: &str, name: &str) -> String {
    format!("{scope}.{name}")
}

/// The scope to pass to [`full_name`] for a file's top-level types.
pub(crate) fn file_scope(file: &FileDescriptorProto) -> String {
    if file.package().is_empty() {
        String::new()
    } else {
        format!(".{}", file.package())
    }
}
