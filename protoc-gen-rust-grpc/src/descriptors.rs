//! Validates descriptors before other code uses them. A front-end checks the grammar, but a
//! descriptor set may come from any source; input on which prost-build would panic is
//! reported to the user here.

mod language;

use std::collections::HashSet;

use prost_types::field_descriptor_proto::Type;
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
};

use crate::error::{Error, Mistakes};
use crate::fields::is_map_entry;
use crate::full_names::{file_scope, full_name};
use crate::locations::{Locations, child, field};
use crate::options::is_proto_identifier;
use crate::request::Request;
use language::{KnownEnum, KnownEnums};

/// Fails on whatever the generator could not work with.
pub(crate) fn check(request: &Request) -> Result<(), Error> {
    let known = Known::of(request);
    let mut mistakes = Mistakes::default();
    for file in request.files() {
        let checked = CheckedFile {
            locations: Locations::of(file),
            known: &known,
            proto3: file.syntax() == "proto3" && !request.has_edition(file),
        };
        mistakes.note(checked.file(file, request.generates(file)));
    }
    mistakes.finish()
}

/// The full names of all types described.
#[derive(Debug, Default)]
struct Known {
    messages: HashSet<String>,
    enums: KnownEnums,
}

impl Known {
    fn of(request: &Request) -> Self {
        let mut known = Self::default();
        for file in request.files() {
            let scope = file_scope(file);
            // Files with editions are read by protoc only, which resolves their features.
            let closed = file.syntax() != "proto3";
            known.add(&scope, closed, &file.message_type, &file.enum_type);
        }
        known
    }

    fn add(
        &mut self,
        scope: &str,
        closed: bool,
        messages: &[DescriptorProto],
        enums: &[EnumDescriptorProto],
    ) {
        for item in enums {
            let name = full_name(scope, item.name());
            self.enums.insert(name, KnownEnum::of(item, closed));
        }
        for message in messages {
            let name = full_name(scope, message.name());
            self.add(&name, closed, &message.nested_type, &message.enum_type);
            self.messages.insert(name);
        }
    }
}

struct CheckedFile<'a> {
    locations: Locations<'a>,
    known: &'a Known,
    /// Written in proto3, not in an edition.
    proto3: bool,
}

impl CheckedFile<'_> {
    fn file(&self, file: &FileDescriptorProto, generated: bool) -> Result<(), Error> {
        let mut mistakes = Mistakes::default();
        if generated {
            mistakes.note(self.syntax(file));
        }
        mistakes.note(self.package(file));
        for (index, message) in file.message_type.iter().enumerate() {
            let name = full_name(&file_scope(file), message.name());
            let path = child(&[], field::FILE_MESSAGE, index);
            mistakes.note(self.message(&name, &path, message));
        }
        for (index, item) in file.extension.iter().enumerate() {
            let path = child(&[], field::FILE_EXTENSION, index);
            mistakes.note(self.packed(&path, item));
        }
        for (index, item) in file.enum_type.iter().enumerate() {
            mistakes.note(self.enumeration(&child(&[], field::FILE_ENUM, index), item));
        }
        for (index, service) in file.service.iter().enumerate() {
            let path = child(&[], field::FILE_SERVICE, index);
            mistakes.note(self.name(&path, service.name()));
            for (index, method) in service.method.iter().enumerate() {
                let path = child(&path, field::SERVICE_METHOD, index);
                mistakes.note(self.name(&path, method.name()));
                for name in [method.input_type(), method.output_type()] {
                    let is_message = |name: &str| self.known.messages.contains(name);
                    mistakes.note(self.reference(&path, name, is_message));
                }
            }
        }
        mistakes.finish()
    }

    fn package(&self, file: &FileDescriptorProto) -> Result<(), Error> {
        let package = file.package();
        if package.is_empty() || package.split('.').all(is_proto_identifier) {
            return Ok(());
        }
        Err(self.locations.error(
            &[field::FILE_PACKAGE],
            format!("`{package}` is no package name"),
        ))
    }

    fn syntax(&self, file: &FileDescriptorProto) -> Result<(), Error> {
        match file.syntax() {
            "" | "proto2" | "proto3" => Ok(()),
            other => Err(self
                .locations
                .error(&[field::FILE_SYNTAX], format!("unknown syntax `{other}`"))),
        }
    }

    fn message(&self, name: &str, path: &[i32], message: &DescriptorProto) -> Result<(), Error> {
        let mut mistakes = Mistakes::default();
        mistakes.note(self.name(path, message.name()));
        for (index, item) in message.field.iter().enumerate() {
            let path = child(path, field::MESSAGE_FIELD, index);
            mistakes.note(self.field(&path, item));
            mistakes.note(self.packed(&path, item));
            if self.proto3 && !is_map_entry(message) {
                let open = language::open_enum(name, item, &self.known.enums);
                mistakes.note(self.of_type(&path, item, open));
            }
            mistakes.note(self.unreserved(&path, item.name(), &message.reserved_name));
        }
        for (index, item) in message.extension.iter().enumerate() {
            let path = child(path, field::MESSAGE_EXTENSION, index);
            mistakes.note(self.packed(&path, item));
        }
        for (index, oneof) in message.oneof_decl.iter().enumerate() {
            let path = child(path, field::MESSAGE_ONEOF, index);
            mistakes.note(self.name(&path, oneof.name()));
        }
        for (index, item) in message.enum_type.iter().enumerate() {
            mistakes.note(self.enumeration(&child(path, field::MESSAGE_ENUM, index), item));
        }
        for (index, nested) in message.nested_type.iter().enumerate() {
            let name = full_name(name, nested.name());
            if is_map_entry(nested)
                && let Some(of_map) = language::field_of_map(message, &name)
            {
                let path = child(path, field::MESSAGE_FIELD, of_map);
                mistakes.note(self.map(&name, &path, &message.field[of_map], nested));
            }
            let path = child(path, field::MESSAGE_NESTED, index);
            mistakes.note(self.message(&name, &path, nested));
            let fields: Vec<&str> = nested
                .field
                .iter()
                .map(prost_types::FieldDescriptorProto::name)
                .collect();
            if is_map_entry(nested) && fields != ["key", "value"] {
                let error = self
                    .locations
                    .error(&path, "a map's entry must have the fields key and value");
                mistakes.add(error);
            }
        }
        mistakes.finish()
    }

    /// Checks `entry`, of the full name `name`: the message that a compiler generates for
    /// the map `item`.
    fn map(
        &self,
        name: &str,
        path: &[i32],
        item: &FieldDescriptorProto,
        entry: &DescriptorProto,
    ) -> Result<(), Error> {
        let mut mistakes = Mistakes::default();
        let enums = &self.known.enums;
        mistakes.note(self.of_type(path, item, language::map_value(entry, enums)));
        if self.proto3 {
            for value in &entry.field {
                let open = language::open_enum(name, value, enums);
                mistakes.note(self.of_type(path, item, open));
            }
        }
        mistakes.finish()
    }

    fn packed(&self, path: &[i32], item: &FieldDescriptorProto) -> Result<(), Error> {
        self.of_type(path, item, language::packed(item))
    }

    /// An error that points at the field's type.
    fn of_type(
        &self,
        path: &[i32],
        item: &FieldDescriptorProto,
        result: Result<(), String>,
    ) -> Result<(), Error> {
        result.map_err(|message| {
            let mut path = path.to_vec();
            path.push(language::part(item));
            self.locations.error(&path, message)
        })
    }

    fn field(&self, path: &[i32], item: &FieldDescriptorProto) -> Result<(), Error> {
        self.name(path, item.name())?;
        match item.r#type.and_then(|number| Type::try_from(number).ok()) {
            Some(Type::Message | Type::Group) => self.reference(path, item.type_name(), |name| {
                self.known.messages.contains(name)
            }),
            Some(Type::Enum) => self.reference(path, item.type_name(), |name| {
                self.known.enums.contains_key(name)
            }),
            Some(_) => Ok(()),
            None => Err(self.locations.error(
                path,
                format!(
                    "the field `{}` has no known type: the descriptors were not linked by a \
                     compiler",
                    item.name()
                ),
            )),
        }
    }

    fn enumeration(&self, path: &[i32], item: &EnumDescriptorProto) -> Result<(), Error> {
        let mut mistakes = Mistakes::default();
        mistakes.note(self.name(path, item.name()));
        if item.value.is_empty() {
            mistakes.add(
                self.locations
                    .error(path, format!("the enum `{}` has no values", item.name())),
            );
        }
        for (index, value) in item.value.iter().enumerate() {
            let path = child(path, field::ENUM_VALUE, index);
            mistakes.note(self.name(&path, value.name()));
            mistakes.note(self.unreserved(&path, value.name(), &item.reserved_name));
        }
        mistakes.finish()
    }

    /// Not every front-end checks reserved names.
    fn unreserved(&self, path: &[i32], name: &str, reserved: &[String]) -> Result<(), Error> {
        if reserved.iter().any(|other| other == name) {
            return Err(self
                .locations
                .error(path, format!("the name `{name}` is reserved")));
        }
        Ok(())
    }

    fn name(&self, path: &[i32], name: &str) -> Result<(), Error> {
        if is_proto_identifier(name) && name.chars().any(|next| next != '_') {
            return Ok(());
        }
        let why = if is_proto_identifier(name) {
            "no letter or digit to make a Rust name of"
        } else {
            "characters no proto name has"
        };
        Err(self
            .locations
            .error(path, format!("the name `{name}` has {why}")))
    }

    fn reference(
        &self,
        path: &[i32],
        name: &str,
        is_known: impl Fn(&str) -> bool,
    ) -> Result<(), Error> {
        if is_known(name) {
            return Ok(());
        }
        Err(self.locations.error(
            path,
            format!(
                "the type `{name}` is in none of the files described; a descriptor set must hold \
                 all imports (protoc: --include_imports), those under an extern_path too"
            ),
        ))
    }
}
