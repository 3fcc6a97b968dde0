//! Files with `edition = "…"`, rewritten as the proto3 file that means the same on the wire:
//! later stages do not know editions. prost-types does not know them either, so the fields
//! that it drops are read a second time here, from the same bytes.
//!
//! Of the features of an edition, three change the generated code: field presence, whether a
//! list is packed, and whether a message is a group on the wire. The others do not: every
//! enum field is an `i32` that keeps numbers it has no name for, and every `string` is
//! checked to be UTF-8, in proto2 and proto3 too.

mod features;
mod resolved_set;
mod wire;

use std::collections::HashSet;

use prost::Message;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorProto};

use crate::error::Error;
use crate::fields::{is_map_entry, is_packable};
use crate::full_names::{file_scope, full_name};
use crate::locations::{Locations, field};
use features::{Features, Presence};
pub use resolved_set::ResolvedSet;

/// The oldest and the newest edition that is understood, as protoc numbers
/// them: proto2 (998) and proto3 (999) are editions to it, 2024 is 1001.
pub(crate) const MINIMUM: i32 = 998;
pub(crate) const MAXIMUM: i32 = 1001;

const EDITION_2023: i32 = 1000;

/// Rewrites those of `files` that use an edition. `request` holds the bytes
/// that they were decoded from.
///
/// Fails on a file to generate whose edition is not known. A file that is only imported is
/// read by the rules of the newest known edition: only the shapes of its messages matter.
pub(crate) fn lower(
    request: &[u8],
    files: &mut [FileDescriptorProto],
    to_generate: impl Fn(&str) -> bool,
) -> Result<(), Error> {
    if files.iter().all(|file| file.syntax() != "editions") {
        return Ok(());
    }
    let raw = wire::RawRequest::decode(request)
        .map_err(|error| Error::new(format!("not a CodeGeneratorRequest: {error}")))?;
    for (file, raw) in files.iter_mut().zip(&raw.files) {
        if file.syntax() != "editions" {
            continue;
        }
        let edition = raw.edition.unwrap_or_default();
        if !(EDITION_2023..=MAXIMUM).contains(&edition) && to_generate(file.name()) {
            return Err(Locations::of(file).error(
                &[field::FILE_SYNTAX],
                "this edition is not known here: use `edition = \"2024\"`, \
                 `edition = \"2023\"`, `syntax = \"proto3\"` or `syntax = \"proto2\"`, or a newer \
                 generator",
            ));
        }
        lower_file(file, raw);
    }
    Ok(())
}

fn lower_file(file: &mut FileDescriptorProto, raw: &wire::RawFile) {
    let features = Features::default().with(raw.features());
    let scope = file_scope(file);
    for (message, raw) in file.message_type.iter_mut().zip(&raw.messages) {
        lower_message(&scope, message, raw, features);
    }
    file.syntax = Some("proto3".to_owned());
}

/// Fields inherit features from the file: those that count here cannot be set on messages or
/// oneofs.
fn lower_message(
    scope: &str,
    message: &mut DescriptorProto,
    raw: &wire::RawMessage,
    file: Features,
) {
    let scope = full_name(scope, message.name());
    // A map is written the same in every edition.
    if !is_map_entry(message) {
        let maps: HashSet<String> = message
            .nested_type
            .iter()
            .filter(|nested| is_map_entry(nested))
            .map(|nested| full_name(&scope, nested.name()))
            .collect();
        for (item, raw) in message.field.iter_mut().zip(&raw.fields) {
            if !maps.contains(item.type_name()) {
                let own = raw.options.as_ref().and_then(|options| options.features);
                lower_field(item, file.with(own));
            }
        }
    }
    for (nested, raw) in message.nested_type.iter_mut().zip(&raw.nested) {
        lower_message(&scope, nested, raw, file);
    }
}

fn lower_field(item: &mut FieldDescriptorProto, features: Features) {
    if features.delimited && item.r#type() == Type::Message {
        item.set_type(Type::Group);
    }
    if item.label() == Label::Repeated {
        if is_packable(item) {
            item.options.get_or_insert_default().packed = Some(features.packed);
        }
        return;
    }
    // A message is never there by default; a member of a oneof is held by that.
    let presence = match (features.presence, item.r#type()) {
        (Presence::Implicit, Type::Group) => Presence::Explicit,
        (presence, _) => presence,
    };
    match presence {
        Presence::Required => item.set_label(Label::Required),
        // prost-build handles presence of messages by itself, but not of groups.
        Presence::Explicit if item.oneof_index.is_none() && item.r#type() != Type::Message => {
            item.proto3_optional = Some(true);
        }
        Presence::Explicit | Presence::Implicit => {}
    }
}

#[cfg(test)]
mod tests;
