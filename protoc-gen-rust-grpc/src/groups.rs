//! Groups that contain themselves. prost-build boxes a message that does, but
//! looks through messages alone: a group in the cycle would be a type of
//! infinite size.

use std::collections::{HashMap, HashSet};

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorProto};

use crate::descriptors::{file_scope, full_name};

/// The groups to be boxed, each as the path by which prost-build's options name
/// the field. A cycle that has a group in it is broken there.
pub(crate) fn boxed(files: &[FileDescriptorProto]) -> Vec<String> {
    let mut graph = Graph::default();
    for file in files {
        graph.add(&file_scope(file), &file.message_type);
    }
    graph
        .groups
        .iter()
        .filter(|group| graph.reaches(&group.kind, &group.holder))
        .map(|group| group.path.clone())
        .collect()
}

#[derive(Debug)]
struct Group {
    path: String,
    holder: String,
    kind: String,
}

/// Which messages hold which, in place.
#[derive(Debug, Default)]
struct Graph {
    held: HashMap<String, Vec<String>>,
    groups: Vec<Group>,
}

impl Graph {
    fn add(&mut self, scope: &str, messages: &[DescriptorProto]) {
        for message in messages {
            let name = full_name(scope, message.name());
            let mut held = Vec::new();
            for item in message.field.iter().filter(|item| in_place(item)) {
                held.push(item.type_name().to_owned());
                if item.r#type() == Type::Group {
                    self.groups.push(Group {
                        path: option_path(&name, message, item),
                        holder: name.clone(),
                        kind: item.type_name().to_owned(),
                    });
                }
            }
            self.add(&name, &message.nested_type);
            self.held.insert(name, held);
        }
    }

    fn reaches(&self, from: &str, to: &str) -> bool {
        let mut seen = HashSet::new();
        let mut next = vec![from];
        while let Some(name) = next.pop() {
            if name == to {
                return true;
            }
            if seen.insert(name) {
                let held = self.held.get(name).into_iter().flatten();
                next.extend(held.map(String::as_str));
            }
        }
        false
    }
}

/// Whether the field's type is part of its message, not behind a pointer.
fn in_place(item: &FieldDescriptorProto) -> bool {
    matches!(item.r#type(), Type::Message | Type::Group) && item.label() != Label::Repeated
}

/// prost-build names a oneof's member below the oneof.
fn option_path(name: &str, message: &DescriptorProto, item: &FieldDescriptorProto) -> String {
    let oneof = item
        .oneof_index
        .filter(|_| !item.proto3_optional())
        .and_then(|index| message.oneof_decl.get(usize::try_from(index).ok()?));
    match oneof {
        Some(oneof) => format!("{name}.{}.{}", oneof.name(), item.name()),
        None => format!("{name}.{}", item.name()),
    }
}
