//! Fields whose message is boxed: those that the user names, and those without which the
//! type would be infinite or too large for a stack. prost-build boxes messages that contain
//! themselves, but does not follow groups, so a group in such a cycle would be a type of
//! infinite size. Messages that hold one type twice double in size with each level.

use std::cmp::Reverse;
use std::collections::HashSet;

use prost_types::FieldDescriptorProto;
use prost_types::field_descriptor_proto::{Label, Type};

use crate::fields::oneof_of;
use crate::holding::{HeldMessage, Holding, inmost_first};
use crate::options::{Options, Rule};

/// In bytes; a thread's stack has 2 MiB by default. It must lie far above what
/// messages in use need: where it falls short, a field that is added changes the
/// type of another.
const LARGEST: u64 = 256 << 10;

const POINTER: u64 = 8;

/// The fields to be boxed, each as the path by which prost-build's options name
/// it. Cycles of messages are prost-build's own.
pub(crate) fn boxed(holding: &Holding<'_>, options: &Options) -> HashSet<String> {
    let asked: Vec<&Rule> = options.rules("boxed").collect();
    let component = holding.components(|item| holding.held(item));
    let messages = holding.messages();
    let mut boxed = HashSet::new();
    let mut sizes = vec![0; messages.len()];
    for index in inmost_first(&component) {
        let message = &messages[index];
        let mut fields = Vec::with_capacity(message.descriptor.field.len());
        for item in &message.descriptor.field {
            let in_cycle = |held: usize| component[held] == component[index];
            fields.push(match holding.held(item) {
                None => scalar_size(item),
                Some(held) if in_cycle(held) && item.r#type() == Type::Message => POINTER,
                Some(held) if in_cycle(held) || message.is_covered(item, &asked) => {
                    boxed.insert(message.option_path(item));
                    POINTER
                }
                Some(held) => sizes[held],
            });
        }
        sizes[index] = message_size(message, &fields);
        // The largest first; of equals, the first in the file.
        let mut by_size: Vec<usize> = (0..fields.len()).collect();
        by_size.sort_by_key(|field| Reverse(fields[*field]));
        for field in by_size {
            let item = &message.descriptor.field[field];
            if sizes[index] <= LARGEST {
                break;
            }
            if holding.held(item).is_some() {
                boxed.insert(message.option_path(item));
                fields[field] = POINTER;
                sizes[index] = message_size(message, &fields);
            }
        }
    }
    boxed
}

/// The approximate size of a field that is not a single message, in bytes.
fn scalar_size(item: &FieldDescriptorProto) -> u64 {
    match item.r#type() {
        _ if item.label() == Label::Repeated => 3 * POINTER,
        Type::String | Type::Bytes => 3 * POINTER,
        Type::Bool => 1,
        Type::Double
        | Type::Int64
        | Type::Uint64
        | Type::Fixed64
        | Type::Sfixed64
        | Type::Sint64 => 8,
        _ => 4,
    }
}

/// The approximate size of a message with fields of these sizes, in bytes. The members of a
/// oneof share their space.
fn message_size(message: &HeldMessage<'_>, fields: &[u64]) -> u64 {
    let mut size: u64 = 0;
    let mut oneofs = vec![0; message.descriptor.oneof_decl.len()];
    for (item, field) in message.descriptor.field.iter().zip(fields) {
        match oneof_of(message.descriptor, item) {
            Some(oneof) => oneofs[oneof] = oneofs[oneof].max(*field),
            None => size = size.saturating_add(*field),
        }
    }
    let with_tag = |oneof: u64| oneof.saturating_add(POINTER);
    oneofs
        .into_iter()
        .map(with_tag)
        .fold(size, u64::saturating_add)
}
