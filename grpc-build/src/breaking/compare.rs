//! The comparison itself. Types are found by full name, so that one may move to
//! another file of its package; fields and enum values are found by number,
//! which is what they are on the wire.

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
    MethodDescriptorProto, ServiceDescriptorProto,
};

use super::index::{File, FilePosition, Index, Item, child, number};

/// One incompatible change.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) old: FilePosition,
    /// The item's position now, or that of its parent; `None` if neither exists any more.
    pub(super) new: Option<FilePosition>,
    pub(super) message: String,
    pub(super) help: Option<String>,
}

/// Everything in `old` that `new` breaks, in the order of the old files.
pub(super) fn changes(old: &Index<'_>, new: &Index<'_>) -> Vec<Change> {
    let mut comparison = Comparison {
        old,
        new,
        changes: Vec::new(),
    };
    comparison.run();
    let mut changes = comparison.changes;
    changes.sort_by(|a, b| (&a.old.file, a.old.position).cmp(&(&b.old.file, b.old.position)));
    changes
}

struct Comparison<'i> {
    old: &'i Index<'i>,
    new: &'i Index<'i>,
    changes: Vec<Change>,
}

impl<'i> Comparison<'i> {
    fn run(&mut self) {
        for old in &self.old.files {
            let found = self.new_file(old.descriptor.name());
            if let Some(new) = found
                && new.descriptor.package() != old.descriptor.package()
            {
                let message = format!(
                    "the package was `{}`, now it is `{}`",
                    old.descriptor.package(),
                    new.descriptor.package()
                );
                let path = [number::FILE_PACKAGE];
                self.note(old.place(&path), Some(new.place(&path)), message);
            }
        }
        for (name, old) in &self.old.messages {
            // The entry message of a `map` field is compared as part of the field.
            if is_map_entry(old.descriptor) {
                continue;
            }
            match self.new.messages.get(name) {
                Some(new) => self.message(old, new),
                None => self.gone("message", name, old),
            }
        }
        for (name, old) in &self.old.enums {
            match self.new.enums.get(name) {
                Some(new) => {
                    self.openness(name, old, new);
                    self.enumeration(old, new);
                }
                None => self.gone("enum", name, old),
            }
        }
        for (name, old) in &self.old.services {
            match self.new.services.get(name) {
                Some(new) => self.service(old, new),
                None => self.gone("service", name, old),
            }
        }
    }

    fn new_file(&self, name: &str) -> Option<&'i File<'i>> {
        let mut files = self.new.files.iter();
        files.find(|file| file.descriptor.name() == name)
    }

    fn note(&mut self, old: FilePosition, new: Option<FilePosition>, message: String) {
        self.changes.push(Change {
            old,
            new,
            message,
            help: None,
        });
    }

    fn help(&mut self, help: impl Into<String>) {
        if let Some(change) = self.changes.last_mut() {
            change.help = Some(help.into());
        }
    }

    /// Reports a type or service that was removed. The items of a removed package or type
    /// are reported once, together.
    fn gone<T>(&mut self, what: &str, name: &str, item: &Item<'i, T>) {
        let file = self.old.file_of(item);
        let new = self.new_file(file.descriptor.name());
        if new.is_some_and(|new| new.descriptor.package() != file.descriptor.package()) {
            return;
        }
        let above = name.rsplit_once('.').map_or("", |(above, _)| above);
        let around = self.new.messages.get(above);
        if self.old.messages.contains_key(above) && around.is_none() {
            return;
        }
        let place = match (around, new) {
            (Some(message), _) => Some(self.new.file_of(message).place(&message.path)),
            (None, Some(file)) => Some(FilePosition {
                file: file.descriptor.name().to_owned(),
                position: None,
            }),
            (None, None) => None,
        };
        let old = file.place(&item.path);
        self.note(old, place, format!("the {what} `{}` is gone", &name[1..]));
    }

    fn message(&mut self, old: &Item<'i, DescriptorProto>, new: &Item<'i, DescriptorProto>) {
        let (old_file, new_file) = (self.old.file_of(old), self.new.file_of(new));
        for (index, field) in old.descriptor.field.iter().enumerate() {
            let place = old_file.place(&child(&old.path, number::MESSAGE_FIELD, index));
            let fields = || new.descriptor.field.iter().enumerate();
            let at = |index| new_file.place(&child(&new.path, number::MESSAGE_FIELD, index));
            let by_number = fields().find(|(_, other)| other.number() == field.number());
            if let Some((index, now)) = by_number {
                let mut old = Shape::of(field, old.descriptor, old_file.descriptor);
                let new = Shape::of(now, new.descriptor, new_file.descriptor);
                if field.name() != now.name() {
                    // Its name in JSON follows.
                    old.json_name = None;
                }
                self.field(field, now, &old.differences(&new), &place, &at(index));
                continue;
            }
            let by_name = fields().find(|(_, other)| other.name() == field.name());
            if let Some((index, now)) = by_name {
                let message = format!(
                    "the field `{}` had number {}, now it has {}",
                    field.name(),
                    field.number(),
                    now.number()
                );
                self.note(place, Some(at(index)), message);
            } else if !is_reserved(new.descriptor, field.number()) {
                let message = format!(
                    "the field `{}` = {} of `{}` is gone",
                    field.name(),
                    field.number(),
                    old.descriptor.name()
                );
                self.note(place, Some(new_file.place(&new.path)), message);
                self.help(format!(
                    "if nobody reads it any more, say so, that its number is never used again: \
                     `reserved {};`",
                    field.number()
                ));
            }
        }
    }

    fn field(
        &mut self,
        old: &FieldDescriptorProto,
        new: &FieldDescriptorProto,
        differences: &[String],
        old_place: &FilePosition,
        new_place: &FilePosition,
    ) {
        if old.name() != new.name() {
            let message = format!(
                "the field {} was called `{}`, now it is `{}`",
                old.number(),
                old.name(),
                new.name()
            );
            self.note(old_place.clone(), Some(new_place.clone()), message);
        }
        for difference in differences {
            let message = format!("the field `{}` {difference}", old.name());
            self.note(old_place.clone(), Some(new_place.clone()), message);
        }
    }

    /// Compares open and closed enums: an open enum keeps a number without a name; in most
    /// languages a closed one makes the field absent.
    fn openness(
        &mut self,
        name: &str,
        old: &Item<'i, EnumDescriptorProto>,
        new: &Item<'i, EnumDescriptorProto>,
    ) {
        let word = |closed| if closed { "closed" } else { "open" };
        let (was, is) = (self.old.is_closed(name), self.new.is_closed(name));
        if was != is {
            let place = self.old.file_of(old).place(&old.path);
            let now = self.new.file_of(new).place(&new.path);
            let message = format!(
                "the enum `{}` was {}, now it is {}",
                &name[1..],
                word(was),
                word(is)
            );
            self.note(place, Some(now), message);
            let value = word(was).to_uppercase();
            self.help(format!(
                "an edition's file can say `option features.enum_type = {value};`, for itself or \
                 in the enum"
            ));
        }
    }

    fn enumeration(
        &mut self,
        old: &Item<'i, EnumDescriptorProto>,
        new: &Item<'i, EnumDescriptorProto>,
    ) {
        let (old_file, new_file) = (self.old.file_of(old), self.new.file_of(new));
        for (index, value) in old.descriptor.value.iter().enumerate() {
            let place = old_file.place(&child(&old.path, number::ENUM_VALUE, index));
            let values = || new.descriptor.value.iter().enumerate();
            let at = |index| Some(new_file.place(&child(&new.path, number::ENUM_VALUE, index)));
            let name = value.name();
            let by_name = values().find(|(_, other)| other.name() == name);
            if let Some((index, now)) = by_name {
                if now.number() != value.number() {
                    let message = format!(
                        "the value `{name}` had number {}, now it has {}",
                        value.number(),
                        now.number()
                    );
                    self.note(place, at(index), message);
                }
                continue;
            }
            let by_number = values().find(|(_, other)| other.number() == value.number());
            if let Some((index, now)) = by_number {
                let message = format!(
                    "the value {} was called `{name}`, now it is `{}`",
                    value.number(),
                    now.name()
                );
                self.note(place, at(index), message);
                continue;
            }
            let mut reserved = new.descriptor.reserved_range.iter();
            let covers = |start: i32, end: i32| (start..=end).contains(&value.number());
            if !reserved.any(|range| covers(range.start(), range.end())) {
                let message = format!(
                    "the value `{name}` = {} of `{}` is gone",
                    value.number(),
                    old.descriptor.name()
                );
                self.note(place, Some(new_file.place(&new.path)), message);
                self.help(format!(
                    "if nobody sends it any more, say so, that its number is never used again: \
                     `reserved {};`",
                    value.number()
                ));
            }
        }
    }

    fn service(
        &mut self,
        old: &Item<'i, ServiceDescriptorProto>,
        new: &Item<'i, ServiceDescriptorProto>,
    ) {
        let (old_file, new_file) = (self.old.file_of(old), self.new.file_of(new));
        for (index, method) in old.descriptor.method.iter().enumerate() {
            let place = old_file.place(&child(&old.path, number::SERVICE_METHOD, index));
            let mut methods = new.descriptor.method.iter().enumerate();
            let Some((index, now)) = methods.find(|(_, other)| other.name() == method.name())
            else {
                let message = format!(
                    "the method `{}` of `{}` is gone",
                    method.name(),
                    old.descriptor.name()
                );
                self.note(place, Some(new_file.place(&new.path)), message);
                continue;
            };
            let new_place = new_file.place(&child(&new.path, number::SERVICE_METHOD, index));
            for difference in method_differences(method, now) {
                let message = format!("the method `{}` {difference}", method.name());
                self.note(place.clone(), Some(new_place.clone()), message);
            }
        }
    }
}

fn method_differences(old: &MethodDescriptorProto, new: &MethodDescriptorProto) -> Vec<String> {
    let side = |streams: bool, name: &str| {
        let stream = if streams { "stream " } else { "" };
        format!("{stream}{}", name.trim_start_matches('.'))
    };
    let takes =
        |method: &MethodDescriptorProto| side(method.client_streaming(), method.input_type());
    let returns =
        |method: &MethodDescriptorProto| side(method.server_streaming(), method.output_type());
    let mut differences = Vec::new();
    for (verb, old, new) in [
        ("took", takes(old), takes(new)),
        ("returned", returns(old), returns(new)),
    ] {
        if old != new {
            differences.push(format!("{verb} `{old}`, now it is `{new}`"));
        }
    }
    differences
}

/// A field's type and label as a `.proto` file spells them.
#[derive(Debug, PartialEq, Eq)]
struct Shape {
    label: &'static str,
    kind: String,
    oneof: Option<String>,
    default: Option<String>,
    json_name: Option<String>,
}

impl Shape {
    fn of(
        field: &FieldDescriptorProto,
        message: &DescriptorProto,
        file: &FileDescriptorProto,
    ) -> Self {
        let entry = message.nested_type.iter().find(|nested| {
            is_map_entry(nested)
                && field
                    .type_name()
                    .rsplit_once('.')
                    .is_some_and(|(_, name)| name == nested.name())
        });
        let is_message = matches!(field.r#type(), Type::Message | Type::Group);
        let in_oneof = field.oneof_index.filter(|_| !field.proto3_optional());
        let oneof = in_oneof
            .and_then(|index| message.oneof_decl.get(usize::try_from(index).ok()?))
            .map(|oneof| oneof.name().to_owned());
        let label = match field.label() {
            _ if entry.is_some() => "map",
            Label::Repeated => "repeated",
            Label::Required => "required",
            Label::Optional if oneof.is_some() => "in a oneof",
            // A message always knows whether it is there.
            Label::Optional
                if is_message || field.proto3_optional() || file.syntax() != "proto3" =>
            {
                "optional"
            }
            Label::Optional => "without presence",
        };
        let kind = match entry.map(|entry| &entry.field[..]) {
            Some([key, value]) => format!("map<{}, {}>", kind(key), kind(value)),
            _ => kind(field),
        };
        Self {
            label,
            kind,
            oneof,
            default: field.default_value.clone(),
            json_name: field.json_name.clone(),
        }
    }

    fn differences(&self, now: &Self) -> Vec<String> {
        let mut differences = Vec::new();
        if self.kind != now.kind {
            differences.push(format!("was `{}`, now it is `{}`", self.kind, now.kind));
        }
        if self.label != now.label {
            differences.push(format!("was {}, now it is {}", self.label, now.label));
        } else if self.oneof != now.oneof {
            let name = |oneof: &Option<String>| oneof.clone().unwrap_or_default();
            differences.push(format!(
                "was in the oneof `{}`, now it is in `{}`",
                name(&self.oneof),
                name(&now.oneof)
            ));
        }
        let text = |value: &Option<String>| {
            value
                .as_ref()
                .map_or_else(|| "none".to_owned(), |value| format!("`{value}`"))
        };
        if self.default != now.default {
            let (old, new) = (text(&self.default), text(&now.default));
            differences.push(format!("had the default {old}, now it has {new}"));
        }
        // A recorded set may come from a compiler that leaves it out.
        if let (Some(old), Some(new)) = (&self.json_name, &now.json_name)
            && old != new
        {
            differences.push(format!("was `{old}` in JSON, now it is `{new}`"));
        }
        differences
    }
}

fn kind(field: &FieldDescriptorProto) -> String {
    match field.r#type() {
        Type::Message | Type::Enum => field.type_name().trim_start_matches('.').to_owned(),
        // On the wire a group ends with an end tag; it has no length prefix.
        Type::Group => format!("group {}", field.type_name().trim_start_matches('.')),
        scalar => {
            let name = scalar.as_str_name();
            name.strip_prefix("TYPE_").unwrap_or(name).to_lowercase()
        }
    }
}

fn is_reserved(message: &DescriptorProto, number: i32) -> bool {
    // The end of a message's range is not in it, unlike an enum's.
    message
        .reserved_range
        .iter()
        .any(|range| (range.start()..range.end()).contains(&number))
}

fn is_map_entry(message: &DescriptorProto) -> bool {
    message
        .options
        .as_ref()
        .is_some_and(prost_types::MessageOptions::map_entry)
}
