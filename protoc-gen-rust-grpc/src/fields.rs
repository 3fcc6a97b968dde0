//! Properties of fields that several parts of a descriptor define together: packed lists,
//! members of oneofs, maps.

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FieldDescriptorProto};

/// Whether the field is a list of numbers, which may be written packed.
pub(crate) fn is_packable(item: &FieldDescriptorProto) -> bool {
    item.label() == Label::Repeated
        && !matches!(
            item.r#type(),
            Type::String | Type::Bytes | Type::Message | Type::Group
        )
}

/// Which of the message's oneofs the field is a member of. An `optional` of proto3 is in a
/// synthetic one.
pub(crate) fn oneof_of(message: &DescriptorProto, item: &FieldDescriptorProto) -> Option<usize> {
    let written = item.oneof_index.filter(|_| !item.proto3_optional());
    let index = usize::try_from(written?).ok()?;
    (index < message.oneof_decl.len()).then_some(index)
}

/// Whether the message is the entry that the compiler generates for a `map<…>` field.
pub(crate) fn is_map_entry(message: &DescriptorProto) -> bool {
    message
        .options
        .as_ref()
        .is_some_and(prost_types::MessageOptions::map_entry)
}
