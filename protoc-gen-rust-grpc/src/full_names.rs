//! Full names of protobuf, with the leading dot that descriptors give them.

use prost_types::FileDescriptorProto;

/// A type's full name with a leading dot.
pub(crate) fn full_name(scope: &str, name: &str) -> String {
    format!("{scope}.{name}")
}

/// What [`full_name`] takes for a file's own types.
pub(crate) fn file_scope(file: &FileDescriptorProto) -> String {
    if file.package().is_empty() {
        String::new()
    } else {
        format!(".{}", file.package())
    }
}
