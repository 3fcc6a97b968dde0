//! The declarations of one file, by full names.

use grpc_runtime::prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
};

/// One thing that a file declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Declared {
    /// Whatever has a full name, extensions among it.
    Symbol { name: String, is_message: bool },
    /// An extension: the message that it extends, and its number.
    Extension { extended: String, number: i32 },
}

/// All that a file declares: services, methods, messages, fields, oneofs, enums, their
/// values, extensions.
pub(super) fn by(file: &FileDescriptorProto) -> Vec<Declared> {
    let mut all = Vec::new();
    let package = file.package();
    for message in &file.message_type {
        add_message(package, message, &mut all);
    }
    for of in &file.enum_type {
        add_enum(package, of, &mut all);
    }
    for extension in &file.extension {
        add_extension(package, extension, &mut all);
    }
    for service in &file.service {
        let name = full_name(package, service.name());
        for method in &service.method {
            add(&name, method.name(), &mut all);
        }
        add(package, service.name(), &mut all);
    }
    all
}

fn full_name(scope: &str, name: &str) -> String {
    match scope {
        "" => name.to_owned(),
        scope => format!("{scope}.{name}"),
    }
}

fn add(scope: &str, name: &str, all: &mut Vec<Declared>) {
    all.push(Declared::Symbol {
        name: full_name(scope, name),
        is_message: false,
    });
}

/// Messages are as deep as their decoder let them be.
fn add_message(scope: &str, message: &DescriptorProto, all: &mut Vec<Declared>) {
    let name = full_name(scope, message.name());
    for field in &message.field {
        add(&name, field.name(), all);
    }
    for oneof in &message.oneof_decl {
        add(&name, oneof.name(), all);
    }
    for extension in &message.extension {
        add_extension(&name, extension, all);
    }
    for of in &message.enum_type {
        add_enum(&name, of, all);
    }
    for nested in &message.nested_type {
        add_message(&name, nested, all);
    }
    all.push(Declared::Symbol {
        name,
        is_message: true,
    });
}

/// An enum's values are its siblings.
fn add_enum(scope: &str, of: &EnumDescriptorProto, all: &mut Vec<Declared>) {
    add(scope, of.name(), all);
    for value in &of.value {
        add(scope, value.name(), all);
    }
}

fn add_extension(scope: &str, extension: &FieldDescriptorProto, all: &mut Vec<Declared>) {
    add(scope, extension.name(), all);
    let extended = extension.extendee();
    all.push(Declared::Extension {
        extended: extended.strip_prefix('.').unwrap_or(extended).to_owned(),
        number: extension.number(),
    });
}
