//! Messages and enums, made by prost-build. Input on which it would panic, or of which it
//! would generate broken code, is refused before ([`crate::descriptors`], [`crate::scope`])
//! or rewritten in the copy that it gets; its handling of comments is replaced.

mod debug;
mod derives;
mod marks;
mod stand_ins;

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::str::FromStr;

use prost_build::Module;
use prost_types::field_descriptor_proto::Type;
use prost_types::source_code_info::Location;
use prost_types::{DescriptorProto, EnumDescriptorProto, FileDescriptorProto, SourceCodeInfo};

use crate::accessors;
use crate::boxes;
use crate::error::Error;
use crate::fields::is_packable;
use crate::full_names::{file_scope, full_name};
use crate::holding::Holding;
use crate::inventory::Inventory;
use crate::locations::{Locations, child, field};
use crate::options::Options;
use crate::paths::{PROST, Paths};
use crate::request::Request;
use marks::Marks;
use stand_ins::StandIns;

/// In a comment's place while prost-build writes; no user's text is in its
/// input, so none can be taken for it.
const PLACEHOLDER: &str = " @doc ";

/// The items of each file to generate, by file name.
pub(crate) fn generate(
    request: &Request,
    holding: &Holding<'_>,
    paths: &Paths<'_>,
    options: &Options,
    inventory: &Inventory,
) -> Result<HashMap<String, Vec<syn::Item>>, Error> {
    let mut types = Types::default();
    for file in request.files() {
        types.add(&file_scope(file), &file.message_type, &file.enum_type);
    }
    let stand_ins = StandIns::of(paths.aside(), holding);
    let mut config = configure(options, inventory, &stand_ins);
    // Drops prost-build's own table of well-known types: every external type
    // is named in full below.
    config.compile_well_known_types();
    for name in types.first_values.keys() {
        if let Some(path) = paths.external(name) {
            config.extern_path(stand_ins.name(name), path);
        }
    }

    let boxed = boxes::boxed(holding, options);
    for path in &boxed {
        config.boxed(stand_ins.name(path));
    }

    let mut derived = derives::of_messages(holding, &boxed);
    let mut marks = Marks::default();
    let mut docs = Docs::default();
    let input: Vec<(Module, FileDescriptorProto)> = request
        .files()
        .iter()
        .map(|file| {
            let mut copy = if request.generates(file) {
                prepare(file, &types, &mut docs)
            } else {
                shape_only(file)
            };
            marks.put(&mut copy, &mut derived);
            stand_ins.put(&mut copy);
            (Module::from_parts([file.name()]), copy)
        })
        .collect();

    // The last line of defence: descriptors no compiler would write.
    let output = catch_unwind(AssertUnwindSafe(|| config.generate(input)))
        .map_err(|_| Error::new("prost-build could not generate messages of these descriptors"))?
        .map_err(|error| Error::new(format!("prost-build: {error}")))?;

    request
        .files()
        .iter()
        .filter(|file| request.generates(file))
        .filter_map(|file| Some((file, output.get(&Module::from_parts([file.name()]))?)))
        .map(|(file, text)| {
            let mut parsed =
                syn::parse_file(&docs.fill(&stand_ins.take(text))).map_err(|error| {
                    Error::in_file(file.name(), format!("prost-build wrote no Rust: {error}"))
                })?;
            marks.take(&mut parsed.items);
            accessors::unraw_maps(&mut parsed.items);
            debug::add(&mut parsed.items);
            stand_ins.note(&file_scope(file), &mut parsed.items);
            Ok((file.name().to_owned(), parsed.items))
        })
        .collect()
}

/// prost-build's own options. Its paths mean what [`Rule`] says ours do, as
/// long as they begin with a dot.
fn configure(
    options: &Options,
    inventory: &Inventory,
    stand_ins: &StandIns,
) -> prost_build::Config {
    let mut config = prost_build::Config::new();
    config.prost_path(PROST);
    for rule in &options.rules {
        let path = stand_ins.name(inventory.as_prost_names(rule));
        let value = rule.value.as_str();
        match rule.option {
            "type_attribute" => config.type_attribute(path, value),
            "message_attribute" => config.message_attribute(path, value),
            "enum_attribute" => config.enum_attribute(path, value),
            "field_attribute" => config.field_attribute(path, value),
            "type_name_domain" => config.type_name_domain([path], value),
            _ => continue,
        };
    }
    // These take their paths at once.
    let paths = |option: &str| {
        let rules = options.rules(option);
        rules
            .map(|rule| stand_ins.name(inventory.as_prost_names(rule)))
            .collect::<Vec<_>>()
    };
    config.bytes(paths("bytes"));
    config.btree_map(paths("btree_map"));
    config.skip_debug(paths("skip_debug"));
    config.disable_comments(paths("disable_comments"));
    if options.retain_enum_prefix {
        config.retain_enum_prefix();
    }
    if options.type_names {
        config.enable_type_names();
        // The domain that other implementations write into an `Any`. It comes last, so that
        // the user's `.` has precedence.
        config.type_name_domain(["."], "type.googleapis.com");
    }
    config
}

/// Of all types described: for an enum, the first name of each number.
#[derive(Debug, Default)]
struct Types {
    first_values: BTreeMap<String, HashMap<String, String>>,
}

impl Types {
    fn add(&mut self, scope: &str, messages: &[DescriptorProto], enums: &[EnumDescriptorProto]) {
        for item in enums {
            let mut by_number: HashMap<i32, &str> = HashMap::new();
            let mut first = HashMap::new();
            for value in &item.value {
                let name = by_number.entry(value.number()).or_insert(value.name());
                first.insert(value.name().to_owned(), (*name).to_owned());
            }
            self.first_values
                .insert(full_name(scope, item.name()), first);
        }
        for message in messages {
            let name = full_name(scope, message.name());
            self.add(&name, &message.nested_type, &message.enum_type);
            self.first_values.insert(name, HashMap::new());
        }
    }
}

/// Reduces an imported file to the shapes of its messages: prost-build needs them to decide
/// about boxes. Its output for this file is discarded, so parts that could fail are left
/// out.
fn shape_only(file: &FileDescriptorProto) -> FileDescriptorProto {
    let mut copy = file.clone();
    copy.syntax = Some("proto3".to_owned());
    copy.source_code_info = None;
    copy.service.clear();
    copy.enum_type
        .iter_mut()
        .for_each(|item| item.value.clear());
    copy.message_type.iter_mut().for_each(clear_values);
    copy
}

fn clear_values(message: &mut DescriptorProto) {
    message
        .enum_type
        .iter_mut()
        .for_each(|item| item.value.clear());
    message.nested_type.iter_mut().for_each(clear_values);
    message
        .field
        .iter_mut()
        .for_each(|item| item.default_value = None);
}

/// A file to generate, with a location for each item prost-build looks up (it
/// panics on a missing one) and a placeholder for each comment.
fn prepare(file: &FileDescriptorProto, types: &Types, docs: &mut Docs) -> FileDescriptorProto {
    let mut copy = file.clone();
    copy.service.clear();
    let proto3 = file.syntax() == "proto3";
    copy.message_type
        .iter_mut()
        .for_each(|message| rewrite(message, proto3, types));

    let mut walk = Comments {
        locations: Locations::of(file),
        docs,
        out: Vec::new(),
    };
    for (index, message) in file.message_type.iter().enumerate() {
        walk.message(&child(&[], field::FILE_MESSAGE, index), message);
    }
    for (index, item) in file.enum_type.iter().enumerate() {
        walk.enumeration(&child(&[], field::FILE_ENUM, index), item);
    }
    copy.source_code_info = Some(SourceCodeInfo { location: walk.out });
    copy
}

fn rewrite(message: &mut DescriptorProto, proto3: bool, types: &Types) {
    for item in &mut message.field {
        if proto3 && is_packable(item) {
            // Any other option on the field would make prost-build take the
            // unset `packed` for false.
            if let Some(options) = &mut item.options {
                options.packed.get_or_insert(true);
            }
        }
        if item.r#type() == Type::Enum
            && let Some(first) = types.first_values.get(item.type_name())
            && let Some(default) = &mut item.default_value
            && let Some(name) = first.get(default)
        {
            // An alias (allow_alias) becomes no variant.
            default.clone_from(name);
        }
        if let Some(default) = &mut item.default_value {
            match item.r#type.and_then(|number| Type::try_from(number).ok()) {
                Some(Type::Float) => respell::<f32>(default),
                Some(Type::Double) => respell::<f64>(default),
                _ => {}
            }
        }
    }
    message
        .nested_type
        .iter_mut()
        .for_each(|nested| rewrite(nested, proto3, types));
}

/// Compilers write one number in several ways: `9e+09`, `9000000000`.
fn respell<T: FromStr + Debug>(number: &mut String) {
    if let Ok(value) = number.parse::<T>() {
        *number = format!("{value:?}").replace("NaN", "nan");
    }
}

/// Comments taken out of the descriptors, by the number in their placeholder.
#[derive(Debug, Default)]
struct Docs {
    texts: Vec<Vec<String>>,
}

impl Docs {
    fn put(&mut self, text: Vec<String>) -> Option<String> {
        if text.is_empty() {
            return None;
        }
        self.texts.push(text);
        Some(format!("{PLACEHOLDER}{}", self.texts.len() - 1))
    }

    /// The text with each placeholder's line replaced.
    fn fill(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        for line in text.lines() {
            let number = line
                .trim_start()
                .strip_prefix("///")
                .and_then(|rest| rest.strip_prefix(PLACEHOLDER));
            if let Some(docs) =
                number.and_then(|number| self.texts.get(number.parse::<usize>().ok()?))
            {
                for doc in docs {
                    out.push_str("/// ");
                    out.push_str(doc);
                    out.push('\n');
                }
            } else {
                out.push_str(line);
                out.push('\n');
            }
        }
        out
    }
}

struct Comments<'a> {
    locations: Locations<'a>,
    docs: &'a mut Docs,
    out: Vec<Location>,
}

impl Comments<'_> {
    fn put(&mut self, path: &[i32]) {
        self.put_docs(path, self.locations.docs(path));
    }

    fn put_docs(&mut self, path: &[i32], docs: Vec<String>) {
        self.out.push(Location {
            path: path.to_vec(),
            leading_comments: self.docs.put(docs),
            ..Location::default()
        });
    }

    fn message(&mut self, path: &[i32], message: &DescriptorProto) {
        self.put(path);
        for index in 0..marks::SHIFT {
            self.put_docs(&child(path, field::MESSAGE_FIELD, index), Vec::new());
        }
        for index in 0..message.field.len() {
            let docs = self
                .locations
                .docs(&child(path, field::MESSAGE_FIELD, index));
            self.put_docs(
                &child(path, field::MESSAGE_FIELD, index + marks::SHIFT),
                docs,
            );
        }
        for index in 0..message.oneof_decl.len() {
            self.put(&child(path, field::MESSAGE_ONEOF, index));
        }
        for (index, nested) in message.nested_type.iter().enumerate() {
            self.message(&child(path, field::MESSAGE_NESTED, index), nested);
        }
        for (index, item) in message.enum_type.iter().enumerate() {
            self.enumeration(&child(path, field::MESSAGE_ENUM, index), item);
        }
    }

    fn enumeration(&mut self, path: &[i32], item: &EnumDescriptorProto) {
        self.put(path);
        for index in 0..item.value.len() {
            self.put(&child(path, field::ENUM_VALUE, index));
        }
    }
}
