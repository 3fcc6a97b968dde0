//! Everything that the path of an option can name among the files to generate,
//! to tell the user of a path that names nothing: a mistyped one would
//! otherwise do nothing in silence. It is a warning only, since one set of
//! options often serves several runs.

use std::collections::BTreeSet;

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, EnumDescriptorProto, FileDescriptorProto};

use crate::error::Diagnostic;
use crate::fields::{is_map_entry, oneof_of};
use crate::full_names::{file_scope, full_name};
use crate::options::{Options, Rule, Target, nearest};
use crate::request::Request;

/// A name and its kind.
#[derive(Debug)]
struct Entry {
    name: String,
    kind: EntryKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EntryKind {
    Package,
    Message,
    Enum,
    Oneof,
    /// With the one of the narrower targets it belongs to.
    Field(Option<Target>),
    Value,
    Service,
    Method,
}

impl EntryKind {
    fn is(self, target: Target) -> bool {
        match target {
            Target::All => true,
            Target::Types => matches!(self, Self::Message | Self::Enum | Self::Oneof),
            Target::Messages => self == Self::Message,
            Target::Enums => matches!(self, Self::Enum | Self::Oneof),
            Target::Fields => matches!(self, Self::Field(_) | Self::Oneof | Self::Value),
            Target::Bytes | Target::Maps | Target::MessageFields => {
                self == Self::Field(Some(target))
            }
            Target::Stubs | Target::Servers => self == Self::Service,
            Target::Packages => self == Self::Package,
        }
    }
}

/// The names in the files to generate, and prost-build's names of fields of oneofs.
#[derive(Debug, Default)]
pub(crate) struct Inventory {
    entries: Vec<Entry>,
    /// `.a.M.field` and `.a.M.oneof.field`.
    in_oneofs: Vec<(String, String)>,
}

impl Inventory {
    pub(crate) fn of(request: &Request, options: &Options) -> Self {
        let mut inventory = Self::default();
        for file in request
            .files()
            .iter()
            .filter(|file| request.generates(file))
        {
            inventory.file(file, options);
        }
        inventory
    }

    /// The rule's path as prost-build knows it, which for some options names a
    /// field of a oneof below the oneof. Proto itself names it below the
    /// message, and so may users; both are taken.
    pub(crate) fn as_prost_names<'r>(&'r self, rule: &'r Rule) -> &'r str {
        let below_oneof = match rule.option {
            "field_attribute" => true,
            "bytes" | "disable_comments" => false,
            _ => return &rule.path,
        };
        self.in_oneofs
            .iter()
            .find_map(|(plain, below)| {
                let (from, to) = if below_oneof {
                    (plain, below)
                } else {
                    (below, plain)
                };
                (*from == rule.path).then_some(to)
            })
            .unwrap_or(&rule.path)
    }

    /// A warning for each path that covers nothing it could.
    pub(crate) fn warnings(&self, request: &Request, options: &Options) -> Vec<Diagnostic> {
        let rules = options.rules.iter().filter(|rule| !self.serves(rule));
        let rules = rules.map(|rule| {
            let what = rule.target.noun();
            let message = format!("option `{}={}`", rule.option, rule.path);
            self.warning(&message, what, &rule.path, |kind| kind.is(rule.target))
        });
        // Files that are imported count: their types are what such paths are for.
        let mut all = Self::default();
        for file in request.files() {
            all.types_and_package(file);
        }
        let unused = options.extern_paths.iter().filter(|(path, _)| {
            let below = format!("{path}.");
            let fits = |name: &str| name == path || name.starts_with(&below);
            !all.entries.iter().any(|entry| fits(&entry.name))
        });
        let unused = unused.map(|(path, _)| {
            let message = format!("option `extern_path={path}`");
            all.warning(&message, "package or type", path, |_| true)
        });
        rules.chain(unused).collect()
    }

    fn serves(&self, rule: &Rule) -> bool {
        // `.` is for whatever there is.
        rule.path == "."
            || self
                .entries
                .iter()
                .any(|entry| entry.kind.is(rule.target) && rule.covers(&entry.name))
            || self.in_oneofs.iter().any(|(plain, below)| {
                let kind = self.entries.iter().find(|entry| entry.name == *plain);
                rule.covers(below) && kind.is_some_and(|entry| entry.kind.is(rule.target))
            })
    }

    fn warning(
        &self,
        option: &str,
        what: &str,
        path: &str,
        fits: impl Fn(EntryKind) -> bool,
    ) -> Diagnostic {
        let message = format!("{option} covers no {what} of the files");
        // A path may also be a prefix of names that fit.
        let mut known = BTreeSet::new();
        for entry in self.entries.iter().filter(|entry| fits(entry.kind)) {
            let mut name = entry.name.as_str();
            while !name.is_empty() && known.insert(name) {
                name = name.rsplit_once('.').map_or("", |(above, _)| above);
            }
        }
        let warning = Diagnostic::new(message);
        match nearest(path, known.into_iter().filter(|name| *name != path)) {
            Some(near) => warning.with_help(format!("did you mean `{near}`?")),
            None => warning,
        }
    }

    fn add(&mut self, name: String, kind: EntryKind) {
        self.entries.push(Entry { name, kind });
    }

    fn file(&mut self, file: &FileDescriptorProto, options: &Options) {
        let scope = file_scope(file);
        if !scope.is_empty() {
            self.add(scope.clone(), EntryKind::Package);
        }
        if options.messages {
            self.types(&scope, &file.message_type, &file.enum_type);
        }
        for service in &file.service {
            let name = full_name(&scope, service.name());
            for method in &service.method {
                self.add(full_name(&name, method.name()), EntryKind::Method);
            }
            self.add(name, EntryKind::Service);
        }
    }

    fn types_and_package(&mut self, file: &FileDescriptorProto) {
        let scope = file_scope(file);
        self.types(&scope, &file.message_type, &file.enum_type);
        self.add(scope, EntryKind::Package);
    }

    fn types(&mut self, scope: &str, messages: &[DescriptorProto], enums: &[EnumDescriptorProto]) {
        for item in enums {
            let name = full_name(scope, item.name());
            for value in &item.value {
                self.add(full_name(&name, value.name()), EntryKind::Value);
            }
            self.add(name, EntryKind::Enum);
        }
        for message in messages.iter().filter(|message| !is_map_entry(message)) {
            self.message(full_name(scope, message.name()), message);
        }
    }

    fn message(&mut self, name: String, message: &DescriptorProto) {
        self.types(&name, &message.nested_type, &message.enum_type);
        for field in &message.field {
            let plain = full_name(&name, field.name());
            let is_map = message.nested_type.iter().any(|nested| {
                is_map_entry(nested) && full_name(&name, nested.name()) == field.type_name()
            });
            let target = match field.r#type() {
                Type::Bytes => Some(Target::Bytes),
                Type::Message | Type::Group if is_map => Some(Target::Maps),
                Type::Message | Type::Group if field.label() != Label::Repeated => {
                    Some(Target::MessageFields)
                }
                _ => None,
            };
            if let Some(oneof) = oneof_of(message, field) {
                let oneof = full_name(&name, message.oneof_decl[oneof].name());
                let below = full_name(&oneof, field.name());
                self.in_oneofs.push((plain.clone(), below));
            }
            self.add(plain, EntryKind::Field(target));
        }
        for oneof in &message.oneof_decl {
            self.add(full_name(&name, oneof.name()), EntryKind::Oneof);
        }
        self.add(name, EntryKind::Message);
    }
}
