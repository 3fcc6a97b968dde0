//! Groups that contain themselves. prost-build boxes a message that does, but
//! looks through messages alone: a group in the cycle would be a type of
//! infinite size.

use std::collections::HashMap;

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorProto};

use crate::components::components;
use crate::descriptors::{file_scope, full_name};

/// The groups to be boxed, each as the path by which prost-build's options name
/// the field. A cycle that has a group in it is broken there.
pub(crate) fn boxed(files: &[FileDescriptorProto]) -> Vec<String> {
    let mut graph = Graph::default();
    for file in files {
        graph.add(&file_scope(file), &file.message_type);
    }
    if graph.groups.is_empty() {
        return Vec::new();
    }
    let edges: Vec<Vec<usize>> = graph
        .held
        .iter()
        .map(|names| names.iter().filter_map(|name| graph.index(name)).collect())
        .collect();
    let component = components(&edges);
    graph
        .groups
        .iter()
        .filter(|group| {
            let kind = graph.index(group.kind).map(|kind| component[kind]);
            kind == Some(component[group.holder])
        })
        .map(|group| group.path.clone())
        .collect()
}

struct Group<'a> {
    path: String,
    holder: usize,
    kind: &'a str,
}

/// Which messages hold which, in place.
#[derive(Default)]
struct Graph<'a> {
    by_name: HashMap<String, usize>,
    held: Vec<Vec<&'a str>>,
    groups: Vec<Group<'a>>,
}

impl<'a> Graph<'a> {
    fn add(&mut self, scope: &str, messages: &'a [DescriptorProto]) {
        for message in messages {
            let name = full_name(scope, message.name());
            let holder = self.held.len();
            let held = message.field.iter().filter(|item| in_place(item));
            self.held
                .push(held.clone().map(FieldDescriptorProto::type_name).collect());
            let groups = held.filter(|item| item.r#type() == Type::Group);
            self.groups.extend(groups.map(|item| Group {
                path: option_path(&name, message, item),
                holder,
                kind: item.type_name(),
            }));
            self.add(&name, &message.nested_type);
            self.by_name.insert(name, holder);
        }
    }

    fn index(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
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
