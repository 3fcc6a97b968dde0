//! Rules of the language that protoc enforces and some front-ends do not, reported with
//! protoc's texts and positions.

use std::collections::HashMap;

use prost_types::field_descriptor_proto::Type;
use prost_types::{
    DescriptorProto, EnumDescriptorProto, EnumValueDescriptorProto, FieldDescriptorProto,
};

use crate::fields::is_packable;
use crate::locations::field;

/// The properties of an enum that its fields depend on.
#[derive(Debug)]
pub(super) struct KnownEnum {
    first_number: Option<i32>,
    /// Whether it takes no number but its own.
    is_closed: bool,
}

impl KnownEnum {
    pub(super) fn of(item: &EnumDescriptorProto, is_closed: bool) -> Self {
        Self {
            first_number: item.value.first().map(EnumValueDescriptorProto::number),
            is_closed,
        }
    }
}

/// By full name with a leading dot.
pub(super) type KnownEnums = HashMap<String, KnownEnum>;

/// The part of a field that names its type.
pub(super) fn part(item: &FieldDescriptorProto) -> i32 {
    if item.type_name().is_empty() {
        field::FIELD_TYPE
    } else {
        field::FIELD_TYPE_NAME
    }
}

/// Fails on `packed` where there is nothing to pack.
pub(super) fn packed(item: &FieldDescriptorProto) -> Result<(), String> {
    let asked = item.options.as_ref().and_then(|options| options.packed);
    if asked == Some(true) && !is_packable(item) {
        return Err(
            "[packed = true] can only be specified for repeated primitive fields.".to_owned(),
        );
    }
    Ok(())
}

/// Fails on a closed enum in a message of proto3, `message` by its full name.
pub(super) fn open_enum(
    message: &str,
    item: &FieldDescriptorProto,
    enums: &KnownEnums,
) -> Result<(), String> {
    if enum_of(item, enums).is_some_and(|found| found.is_closed) {
        return Err(format!(
            "Enum type \"{}\" is not an open enum, but is used in \"{}\" which is a proto3 \
             message type.",
            item.type_name().trim_start_matches('.'),
            message.trim_start_matches('.')
        ));
    }
    Ok(())
}

/// Fails on a map whose values are of an enum that does not begin with zero; `entry` is the
/// message that the compiler generates for the map.
pub(super) fn map_value(entry: &DescriptorProto, enums: &KnownEnums) -> Result<(), String> {
    let mut values = entry.field.iter().filter_map(|item| enum_of(item, enums));
    if values.any(|found| found.first_number.is_some_and(|number| number != 0)) {
        return Err("Enum value in map must define 0 as the first value.".to_owned());
    }
    Ok(())
}

/// The field of `message` whose map's entry has this full name.
pub(super) fn field_of_map(message: &DescriptorProto, entry: &str) -> Option<usize> {
    message
        .field
        .iter()
        .position(|item| item.type_name() == entry)
}

fn enum_of<'e>(item: &FieldDescriptorProto, enums: &'e KnownEnums) -> Option<&'e KnownEnum> {
    let is_enum = item.r#type() == Type::Enum;
    enums.get(item.type_name()).filter(|_| is_enum)
}
