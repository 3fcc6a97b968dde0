//! Which messages hold which: what infinite types and derived traits follow from. It
//! must look at each message once, and need no stack as deep as they are nested in
//! each other.

use std::collections::HashMap;

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorProto};

use crate::components::components;
use crate::fields::oneof_of;
use crate::full_names::{file_scope, full_name};
use crate::locations::{child, field};
use crate::options::Rule;

/// All messages and groups described, by number.
#[derive(Default)]
pub(crate) struct Holding<'a> {
    messages: Vec<HeldMessage<'a>>,
    by_name: HashMap<String, usize>,
}

pub(crate) struct HeldMessage<'a> {
    /// With a leading dot.
    pub(crate) name: String,
    pub(crate) descriptor: &'a DescriptorProto,
    pub(crate) file: &'a FileDescriptorProto,
    /// The path in the file's source info.
    pub(crate) path: Vec<i32>,
}

impl HeldMessage<'_> {
    /// The path by which prost-build's options name the field: a member of a
    /// oneof is below the oneof.
    pub(crate) fn option_path(&self, item: &FieldDescriptorProto) -> String {
        match oneof_of(self.descriptor, item) {
            Some(oneof) => {
                let oneof = self.descriptor.oneof_decl[oneof].name();
                full_name(&full_name(&self.name, oneof), item.name())
            }
            None => full_name(&self.name, item.name()),
        }
    }

    /// Whether one of the rules covers the field.
    pub(crate) fn is_covered(&self, item: &FieldDescriptorProto, rules: &[&Rule]) -> bool {
        if rules.is_empty() {
            return false;
        }
        let names = [full_name(&self.name, item.name()), self.option_path(item)];
        let covers = |rule: &&Rule| names.iter().any(|name| rule.covers(name));
        rules.iter().any(covers)
    }
}

impl<'a> Holding<'a> {
    pub(crate) fn of(files: &'a [FileDescriptorProto]) -> Self {
        let mut holding = Self::default();
        for file in files {
            for (index, message) in file.message_type.iter().enumerate() {
                let path = child(&[], field::FILE_MESSAGE, index);
                holding.add(file, &file_scope(file), path, message);
            }
        }
        holding
    }

    fn add(
        &mut self,
        file: &'a FileDescriptorProto,
        scope: &str,
        path: Vec<i32>,
        descriptor: &'a DescriptorProto,
    ) {
        let name = full_name(scope, descriptor.name());
        for (index, nested) in descriptor.nested_type.iter().enumerate() {
            let path = child(&path, field::MESSAGE_NESTED, index);
            self.add(file, &name, path, nested);
        }
        self.by_name.insert(name.clone(), self.messages.len());
        self.messages.push(HeldMessage {
            name,
            descriptor,
            file,
            path,
        });
    }

    pub(crate) fn messages(&self) -> &[HeldMessage<'a>] {
        &self.messages
    }

    /// The message or group of the field's type, for single and repeated fields.
    pub(crate) fn mentioned(&self, item: &FieldDescriptorProto) -> Option<usize> {
        let kind = matches!(item.r#type(), Type::Message | Type::Group);
        let mentioned = kind.then(|| self.by_name.get(item.type_name()));
        mentioned.flatten().copied()
    }

    /// The message or group that the field holds in place, or in a box if they
    /// hold each other.
    pub(crate) fn held(&self, item: &FieldDescriptorProto) -> Option<usize> {
        self.mentioned(item)
            .filter(|_| item.label() != Label::Repeated)
    }

    /// As [`held`](Self::held), without groups: prost-build follows messages only.
    pub(crate) fn held_message(&self, item: &FieldDescriptorProto) -> Option<usize> {
        self.held(item).filter(|_| item.r#type() == Type::Message)
    }

    /// For each message the number of its cycle: messages that hold each other have one
    /// number. `held` returns the message in a field. A held message's number is not higher
    /// than its holder's.
    pub(crate) fn components(
        &self,
        held: impl Fn(&FieldDescriptorProto) -> Option<usize>,
    ) -> Vec<usize> {
        let of_message = |message: &HeldMessage<'_>| {
            let items = message.descriptor.field.iter();
            items.filter_map(&held).collect()
        };
        let edges: Vec<Vec<usize>> = self.messages.iter().map(of_message).collect();
        components(&edges)
    }
}

/// The indexes of all messages, each after the messages that it holds.
pub(crate) fn inmost_first(component: &[usize]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..component.len()).collect();
    order.sort_by_key(|index| component[*index]);
    order
}
