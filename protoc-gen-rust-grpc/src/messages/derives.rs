//! What messages and oneofs derive beside `Clone` and `PartialEq`, which depends
//! on all they hold. prost-build finds it out by walking into every field of
//! every field, which takes exponential time where messages share what they
//! hold: so each is looked at once here. The rules are prost-build's own.

use std::collections::HashMap;

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorProto};

use crate::components::components;
use crate::descriptors::{file_scope, full_name};
use crate::options::{Options, Rule};

/// What one type derives.
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

/// By the messages' full names.
pub(super) fn of_messages(
    files: &[FileDescriptorProto],
    options: &Options,
) -> HashMap<String, OfMessage> {
    let mut graph = Graph::default();
    for file in files {
        graph.add(&file_scope(file), &file.message_type);
    }
    graph.derive(options)
}

#[derive(Default)]
struct Graph<'a> {
    messages: Vec<(String, &'a DescriptorProto)>,
    by_name: HashMap<String, usize>,
}

impl<'a> Graph<'a> {
    fn add(&mut self, scope: &str, messages: &'a [DescriptorProto]) {
        for message in messages {
            let name = full_name(scope, message.name());
            self.add(&name, &message.nested_type);
            self.by_name.insert(name.clone(), self.messages.len());
            self.messages.push((name, message));
        }
    }

    /// The message that the field holds in place, or in a box if they hold each
    /// other. Not a group: prost-build looks through messages alone.
    fn held(&self, item: &FieldDescriptorProto) -> Option<usize> {
        let in_place = item.r#type() == Type::Message && item.label() != Label::Repeated;
        let held = in_place.then(|| self.by_name.get(item.type_name()));
        held.flatten().copied()
    }

    fn derive(self, options: &Options) -> HashMap<String, OfMessage> {
        let boxed: Vec<&Rule> = options.rules("boxed").collect();
        let edges: Vec<Vec<usize>> = self
            .messages
            .iter()
            .map(|(_, message)| {
                message
                    .field
                    .iter()
                    .filter_map(|it| self.held(it))
                    .collect()
            })
            .collect();
        let component = components(&edges);
        // What a message holds comes before it.
        let mut order: Vec<usize> = (0..self.messages.len()).collect();
        order.sort_by_key(|index| component[*index]);

        let mut derived = vec![OfMessage::default(); self.messages.len()];
        for index in order {
            let (name, message) = &self.messages[index];
            let of_field = |item: &FieldDescriptorProto| match self.held(item) {
                Some(held) if component[held] == component[index] => Derives::default(),
                Some(held) => Derives {
                    copy: derived[held].message.copy && !is_boxed(name, message, item, &boxed),
                    ..derived[held].message
                },
                None => of_scalar(item),
            };
            derived[index] = of_message(message, of_field);
        }
        let names = self.messages.into_iter().map(|(name, _)| name);
        names.zip(derived).collect()
    }
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
        let oneof = item.oneof_index.filter(|_| !item.proto3_optional());
        let oneof = oneof.and_then(|oneof| oneofs.get_mut(usize::try_from(oneof).ok()?));
        if let Some(oneof) = oneof {
            *oneof = Some(oneof.unwrap_or(Derives::ALL).and(derives));
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

/// Whether the user wants the field's message in a box. prost-build names a
/// oneof's member below the oneof.
fn is_boxed(
    name: &str,
    message: &DescriptorProto,
    item: &FieldDescriptorProto,
    rules: &[&Rule],
) -> bool {
    if rules.is_empty() {
        return false;
    }
    let oneof = item.oneof_index.filter(|_| !item.proto3_optional());
    let oneof = oneof.and_then(|oneof| message.oneof_decl.get(usize::try_from(oneof).ok()?));
    let plain = full_name(name, item.name());
    let below = oneof.map(|oneof| full_name(&full_name(name, oneof.name()), item.name()));
    rules
        .iter()
        .any(|rule| rule.covers(&plain) || below.as_deref().is_some_and(|below| rule.covers(below)))
}
