//! Names of the synthetic oneofs of proto3's `optional` fields. protoc chooses a name that
//! no field or oneof of the message has; protox uses `_name`, whether that is free or not.

use std::collections::HashSet;

use prost_types::{DescriptorProto, FileDescriptorProto};

/// Gives all such oneofs the names that protoc would.
pub(super) fn rename(file: &mut FileDescriptorProto) {
    file.message_type.iter_mut().for_each(in_message);
}

/// The full names that protox takes twice, as in its errors.
pub(super) fn taken_twice(file: &FileDescriptorProto) -> Vec<String> {
    let mut found = Vec::new();
    let mut open: Vec<(String, &DescriptorProto)> = file
        .message_type
        .iter()
        .map(|message| (file.package().to_owned(), message))
        .collect();
    while let Some((scope, message)) = open.pop() {
        let scope = match scope.as_str() {
            "" => message.name().to_owned(),
            scope => format!("{scope}.{}", message.name()),
        };
        let written = written(message);
        let names = hidden(message).map(|(_, index)| message.oneof_decl[index].name());
        let names = names.filter(|name| written.contains(*name));
        found.extend(names.map(|name| format!("{scope}.{name}")));
        let nested = message.nested_type.iter();
        open.extend(nested.map(|nested| (scope.clone(), nested)));
    }
    found
}

fn in_message(message: &mut DescriptorProto) {
    let mut names = written(message);
    let hidden: Vec<(usize, usize)> = hidden(message).collect();
    for (item, oneof) in hidden {
        let mut name = message.field[item].name().to_owned();
        if !name.starts_with('_') {
            name.insert(0, '_');
        }
        while names.contains(&name) {
            name.insert(0, 'X');
        }
        names.insert(name.clone());
        message.oneof_decl[oneof].name = Some(name);
    }
    message.nested_type.iter_mut().for_each(in_message);
}

/// The names of fields, and of the oneofs that somebody wrote.
fn written(message: &DescriptorProto) -> HashSet<String> {
    let hidden: HashSet<usize> = hidden(message).map(|(_, oneof)| oneof).collect();
    let oneofs = message.oneof_decl.iter().enumerate();
    let oneofs = oneofs.filter(|(index, _)| !hidden.contains(index));
    let oneofs = oneofs.map(|(_, oneof)| oneof.name().to_owned());
    let fields = message.field.iter().map(|item| item.name().to_owned());
    fields.chain(oneofs).collect()
}

/// Each such field, and the oneof behind it.
fn hidden(message: &DescriptorProto) -> impl Iterator<Item = (usize, usize)> + '_ {
    let fields = message.field.iter().enumerate();
    fields
        .filter(|(_, item)| item.proto3_optional())
        .filter_map(|(index, item)| {
            let oneof = usize::try_from(item.oneof_index?).ok()?;
            (oneof < message.oneof_decl.len()).then_some((index, oneof))
        })
}
