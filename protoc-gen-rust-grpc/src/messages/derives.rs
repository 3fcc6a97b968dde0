//! The traits that messages and oneofs derive besides `Clone` and `PartialEq`, which depend
//! on all their contents. prost-build walks into every field of every field, which takes
//! exponential time if messages share contents; here each message is visited once. The rules
//! are prost-build's.

use std::collections::{HashMap, HashSet};

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FieldDescriptorProto};

use crate::fields::oneof_of;
use crate::holding::{Holding, inmost_first};

/// The derives of one type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Derives {
    pub(super) copy: bool,
    /// `Eq` and `Hash`.
    pub(super) eq: bool,
}

impl Derives {
    const ALL: Self = Self {
        copy: true,
        eq: true,
    };

    fn and(self, other: Self) -> Self {
        Self {
            copy: self.copy && other.copy,
            eq: self.eq && other.eq,
        }
    }
}

/// A message, and its oneofs in the order in which prost-build writes them.
#[derive(Clone, Debug, Default)]
pub(super) struct OfMessage {
    pub(super) message: Derives,
    pub(super) oneofs: Vec<Derives>,
}

/// By the messages' full names. `boxed` are the fields that are put in a box.
pub(super) fn of_messages(
    holding: &Holding<'_>,
    boxed: &HashSet<String>,
) -> HashMap<String, OfMessage> {
    let component = holding.components(|item| holding.held_message(item));
    let messages = holding.messages();
    let mut derived = vec![OfMessage::default(); messages.len()];
    for index in inmost_first(&component) {
        let message = &messages[index];
        let is_boxed = |item: &_| !boxed.is_empty() && boxed.contains(&message.option_path(item));
        let of_field = |item: &FieldDescriptorProto| match holding.held_message(item) {
            Some(held) if component[held] == component[index] => Derives::default(),
            Some(held) => Derives {
                copy: derived[held].message.copy && !is_boxed(item),
                ..derived[held].message
            },
            None => of_scalar(item),
        };
        derived[index] = of_message(message.descriptor, of_field);
    }
    let names = messages.iter().map(|message| message.name.clone());
    names.zip(derived).collect()
}

fn of_message(
    message: &DescriptorProto,
    of_field: impl Fn(&FieldDescriptorProto) -> Derives,
) -> OfMessage {
    let mut all = Derives::ALL;
    let mut oneofs: Vec<Option<Derives>> = vec![None; message.oneof_decl.len()];
    for item in &message.field {
        let derives = of_field(item);
        all = all.and(derives);
        if let Some(oneof) = oneof_of(message, item) {
            oneofs[oneof] = Some(oneofs[oneof].unwrap_or(Derives::ALL).and(derives));
        }
    }
    OfMessage {
        message: all,
        // Without members there is nothing written.
        oneofs: oneofs.into_iter().flatten().collect(),
    }
}

/// Of a field that holds no single message.
fn of_scalar(item: &FieldDescriptorProto) -> Derives {
    let (copy, eq) = match item.r#type() {
        Type::Message | Type::Group => (false, false),
        Type::String | Type::Bytes => (false, true),
        Type::Float | Type::Double => (true, false),
        _ => (true, true),
    };
    Derives {
        copy: copy && item.label() != Label::Repeated,
        eq,
    }
}
