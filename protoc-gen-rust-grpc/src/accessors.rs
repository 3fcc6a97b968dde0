//! The methods that prost's derive adds to a message: one of the field's own
//! name where the field may be absent or is an enum, and more for enums. Their
//! names can meet each other; and of a map they are made in a way that a raw
//! identifier does not survive.

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FieldDescriptorProto};

use crate::fields::is_map_entry;
use crate::names;

/// The names of all methods added for a field that is no member of a oneof.
/// `scope` is the message's full name.
pub(crate) fn of_field(
    scope: &str,
    message: &DescriptorProto,
    item: &FieldDescriptorProto,
    proto3: bool,
) -> Vec<String> {
    let own = names::snake(item.name());
    let bare = own.strip_prefix("r#").unwrap_or(&own);
    let with = |prefix: &str| format!("{prefix}_{bare}");
    match (item.r#type(), item.label()) {
        (Type::Enum, Label::Repeated) => vec![with("push"), own],
        (Type::Enum, _) => vec![with("set"), own],
        (Type::Message, Label::Repeated) if maps_to_enum(scope, message, item) => {
            vec![with("get"), with("insert")]
        }
        (Type::Message | Type::Group, _) | (_, Label::Repeated | Label::Required) => Vec::new(),
        (_, Label::Optional) if proto3 && !item.proto3_optional() => Vec::new(),
        (_, Label::Optional) => vec![own],
    }
}

fn maps_to_enum(scope: &str, message: &DescriptorProto, item: &FieldDescriptorProto) -> bool {
    let entry = item
        .type_name()
        .strip_prefix(scope)
        .and_then(|rest| rest.strip_prefix('.'));
    message.nested_type.iter().any(|nested| {
        Some(nested.name()) == entry
            && is_map_entry(nested)
            && nested
                .field
                .iter()
                .any(|part| part.name() == "value" && part.r#type() == Type::Enum)
    })
}

/// Renames maps of enums whose names are keywords: `_` at the end in place of `r#`, here and
/// in the modules below. No other field has that name: names made from proto names do not
/// end with `_`, except the few keywords that cannot be raw.
pub(crate) fn unraw_maps(items: &mut [syn::Item]) {
    for item in items {
        match item {
            syn::Item::Mod(module) => {
                if let Some((_, items)) = &mut module.content {
                    unraw_maps(items);
                }
            }
            syn::Item::Struct(message) => {
                for field in &mut message.fields {
                    if field.attrs.iter().any(is_map_of_enums) {
                        unraw(&mut field.ident);
                    }
                }
            }
            _ => {}
        }
    }
}

fn is_map_of_enums(attribute: &syn::Attribute) -> bool {
    let syn::Meta::List(list) = &attribute.meta else {
        return false;
    };
    let mut found = false;
    let parsed = list.parse_nested_meta(|meta| {
        let value = meta
            .value()
            .and_then(syn::parse::ParseBuffer::parse::<syn::LitStr>);
        if let Ok(value) = value {
            found |= meta.path.is_ident("map") && value.value().contains("enumeration(");
        }
        Ok(())
    });
    parsed.is_ok() && found
}

fn unraw(ident: &mut Option<syn::Ident>) {
    let Some(raw) = ident else { return };
    if let Some(bare) = raw.to_string().strip_prefix("r#") {
        *raw = syn::Ident::new(&format!("{bare}_"), raw.span());
    }
}
