//! Names within one Rust module or type. Proto tells `FooBar` from `foo_bar` and a package from a
//! message; their Rust names may be equal. Two equal names are an error, or, for what services
//! add, get a suffix `_`, and for the fields of oneofs `_oneof` ([`crate::oneofs`]).

use std::collections::{BTreeMap, HashMap, HashSet};

use prost_types::{DescriptorProto, EnumDescriptorProto, FileDescriptorProto};

use crate::accessors;
use crate::error::{Error, Mistakes};
use crate::fields::is_map_entry;
use crate::full_names::{file_scope, full_name};
use crate::locations::{Locations, child, field};
use crate::names;
use crate::oneofs;
use crate::options::Options;
use crate::paths::Paths;
use crate::request::Request;

/// Types that generated code names as they are. A module called so, which must
/// be beside that code, would hide them.
const PRIMITIVES: &[&str] = &[
    "bool", "f32", "f64", "i32", "i64", "str", "u8", "u32", "u64", "usize",
];

/// The owner named in errors for names that Rust takes.
const RUST: &str = "Rust's own type";

/// The names taken in one place, and by what.
#[derive(Debug, Default)]
pub(crate) struct Scope {
    taken: HashMap<String, String>,
}

impl Scope {
    /// The scope of a module.
    fn of_module() -> Self {
        let taken = PRIMITIVES
            .iter()
            .map(|name| ((*name).to_owned(), RUST.to_owned()));
        Self {
            taken: taken.collect(),
        }
    }

    /// Takes the name `rust` for `what`; fails if the name is taken.
    pub(crate) fn claim(&mut self, rust: String, what: &str) -> Result<(), String> {
        if let Some(other) = self.taken.get(&rust) {
            if other == RUST {
                return Err(format!(
                    "{what} becomes `{rust}` in Rust and hides the type `{rust}`; rename it"
                ));
            }
            return Err(format!(
                "{what} and {other} both become `{rust}` in Rust; rename one of them"
            ));
        }
        self.taken.insert(rust, what.to_owned());
        Ok(())
    }

    /// `wanted` with as few `_` behind it as make it free; and what had it.
    pub(crate) fn free(&self, wanted: &str) -> (String, Option<&str>) {
        let mut name = wanted.to_owned();
        while self.taken.contains_key(&name) {
            name.push('_');
        }
        (name, self.taken.get(wanted).map(String::as_str))
    }
}

/// Fails if two packages to generate would share a file: `foo.Bar` and
/// `foo.bar`.
pub(crate) fn check_packages(
    packages: &BTreeMap<&str, Vec<&FileDescriptorProto>>,
) -> Result<(), Error> {
    let mut mistakes = Mistakes::default();
    let mut stems: HashMap<String, &str> = HashMap::new();
    for (package, files) in packages {
        let stem = names::file_stem(package);
        if let Some(other) = stems.insert(stem.clone(), package)
            && let Some(file) = files.first()
        {
            mistakes.add(Locations::of(file).error(
                &[field::FILE_PACKAGE],
                format!(
                    "the packages `{other}` and `{package}` both become `{stem}.rs`; rename one \
                     of them"
                ),
            ));
        }
    }
    mistakes.finish()
}

/// The names taken in a package's module by messages, enums and the modules of
/// packages below it.
///
/// With `messages=false` they come from elsewhere: what collides among them
/// is not this run's to judge.
pub(crate) fn of_package(
    request: &Request,
    packages: &BTreeMap<&str, Vec<&FileDescriptorProto>>,
    package: &str,
    paths: &Paths<'_>,
    options: &Options,
) -> Result<Scope, Error> {
    let mut mistakes = Mistakes::default();
    let mut scope = Scope::of_module();
    mistakes.note(claim_packages(&mut scope, packages, package));
    // All files of the package, not only those to generate: they share a module.
    let mut files: Vec<&FileDescriptorProto> = request
        .files()
        .iter()
        .filter(|file| file.package() == package)
        .collect();
    files.sort_by_key(|file| (!request.generates(file), file.name()));
    for file in files {
        let walk = ScopeWalk {
            locations: Locations::of(file),
            paths,
            strict: options.messages && request.generates(file),
            retain_enum_prefix: options.retain_enum_prefix,
            proto3: file.syntax() == "proto3",
        };
        mistakes.note(walk.types(
            &mut scope,
            &file_scope(file),
            &[],
            (field::FILE_MESSAGE, &file.message_type),
            (field::FILE_ENUM, &file.enum_type),
        ));
    }
    mistakes.finish()?;
    Ok(scope)
}

/// Packages below this one are modules in its module.
fn claim_packages(
    scope: &mut Scope,
    packages: &BTreeMap<&str, Vec<&FileDescriptorProto>>,
    package: &str,
) -> Result<(), Error> {
    let mut mistakes = Mistakes::default();
    let mut seen = HashSet::new();
    for (name, files) in packages {
        let below = if package.is_empty() {
            Some(*name)
        } else {
            name.strip_prefix(package)
                .and_then(|rest| rest.strip_prefix('.'))
        };
        let Some(part) = below.and_then(|rest| rest.split('.').next()) else {
            continue;
        };
        if part.is_empty() || !seen.insert(part) {
            continue;
        }
        let what = format!("the package `{name}`");
        if let Err(message) = scope.claim(names::snake(part), &what)
            && let Some(file) = files.first()
        {
            mistakes.add(Locations::of(file).error(&[field::FILE_PACKAGE], message));
        }
    }
    mistakes.finish()
}

struct ScopeWalk<'a> {
    locations: Locations<'a>,
    paths: &'a Paths<'a>,
    strict: bool,
    proto3: bool,
    retain_enum_prefix: bool,
}

impl ScopeWalk<'_> {
    fn claim(
        &self,
        scope: &mut Scope,
        rust: String,
        what: &str,
        path: &[i32],
    ) -> Result<(), Error> {
        match scope.claim(rust, what) {
            Err(message) if self.strict => Err(self.locations.error(path, message)),
            _ => Ok(()),
        }
    }

    fn types(
        &self,
        scope: &mut Scope,
        prefix: &str,
        path: &[i32],
        (message_field, messages): (i32, &[DescriptorProto]),
        (enum_field, enums): (i32, &[EnumDescriptorProto]),
    ) -> Result<(), Error> {
        let mut mistakes = Mistakes::default();
        for (index, message) in messages.iter().enumerate() {
            let name = full_name(prefix, message.name());
            if !is_map_entry(message) && self.paths.external(&name).is_none() {
                let path = child(path, message_field, index);
                mistakes.note(self.message(scope, &name, &path, message));
            }
        }
        for (index, item) in enums.iter().enumerate() {
            let name = full_name(prefix, item.name());
            if self.paths.external(&name).is_none() {
                let path = child(path, enum_field, index);
                let what = format!("the enum `{}`", item.name());
                mistakes.note(self.claim(scope, names::camel(item.name()), &what, &path));
                mistakes.note(self.values(&path, item));
            }
        }
        mistakes.finish()
    }

    fn message(
        &self,
        scope: &mut Scope,
        name: &str,
        path: &[i32],
        message: &DescriptorProto,
    ) -> Result<(), Error> {
        let mut mistakes = Mistakes::default();
        let what = format!("the message `{}`", message.name());
        let claimed = self.claim(scope, names::camel(message.name()), &what, path);
        let alone = mistakes.note(claimed).is_some();

        let mut inside = Scope::of_module();
        mistakes.note(self.types(
            &mut inside,
            name,
            path,
            (field::MESSAGE_NESTED, &message.nested_type),
            (field::MESSAGE_ENUM, &message.enum_type),
        ));
        mistakes.note(self.fields(&mut inside, name, path, message));
        // Where the messages' names met already, their modules' are no news.
        if alone && has_module(message) {
            let what = format!("the module of {what}'s nested types");
            mistakes.note(self.claim(scope, self.paths.module(name), &what, path));
        }
        mistakes.finish()
    }

    /// Fields, their accessors, and the enum of each oneof.
    fn fields(
        &self,
        inside: &mut Scope,
        name: &str,
        path: &[i32],
        message: &DescriptorProto,
    ) -> Result<(), Error> {
        let mut mistakes = Mistakes::default();
        let mut fields = Scope::default();
        let mut methods = Scope::default();
        let mut variants: HashMap<i32, Scope> = HashMap::new();
        for (index, item) in message.field.iter().enumerate() {
            let path = child(path, field::MESSAGE_FIELD, index);
            let what = format!("the field `{}`", item.name());
            match item.oneof_index {
                Some(oneof) if !item.proto3_optional() => {
                    let scope = variants.entry(oneof).or_default();
                    mistakes.note(self.claim(scope, names::camel(item.name()), &what, &path));
                }
                _ => {
                    let rust = names::snake(item.name());
                    mistakes.note(self.claim(&mut fields, rust, &what, &path));
                    let what = format!("an accessor of {what}");
                    for method in accessors::of_field(name, message, item, self.proto3) {
                        mistakes.note(self.claim(&mut methods, method, &what, &path));
                    }
                }
            }
        }
        let aside = oneofs::aside(message);
        for (index, oneof) in message.oneof_decl.iter().enumerate() {
            if !i32::try_from(index).is_ok_and(|index| variants.contains_key(&index)) {
                continue;
            }
            let path = child(path, field::MESSAGE_ONEOF, index);
            let what = format!("the oneof `{}`", oneof.name());
            let called = aside.get(&index).map_or(oneof.name(), |it| &it.name);
            let mut name = names::camel(called);
            if has_type(message, &name) {
                name.push_str("OneOf");
            }
            mistakes.note(self.claim(inside, name, &what, &path));
        }
        mistakes.finish()
    }

    fn values(&self, path: &[i32], item: &EnumDescriptorProto) -> Result<(), Error> {
        let mut mistakes = Mistakes::default();
        let mut scope = Scope::default();
        let mut numbers = HashSet::new();
        for (index, value) in item.value.iter().enumerate() {
            // A second name of a number (allow_alias) becomes no variant.
            if numbers.insert(value.number()) {
                let path = child(path, field::ENUM_VALUE, index);
                let what = format!("the value `{}`", value.name());
                let name = if self.retain_enum_prefix {
                    names::camel(value.name())
                } else {
                    names::variant(item.name(), value.name())
                };
                mistakes.note(self.claim(&mut scope, name, &what, &path));
            }
        }
        mistakes.finish()
    }
}

/// Whether prost-build generates a module beside the message, for its nested types.
pub(crate) fn has_module(message: &DescriptorProto) -> bool {
    !message.enum_type.is_empty()
        || message
            .nested_type
            .iter()
            .any(|nested| !is_map_entry(nested))
        || message
            .field
            .iter()
            .any(|field| field.oneof_index.is_some() && !field.proto3_optional())
}

/// Whether a nested type has this Rust name: the oneof of the same name is
/// then called `…OneOf`. Map entries count, though they become no type.
fn has_type(message: &DescriptorProto, name: &str) -> bool {
    let messages = message.nested_type.iter().map(DescriptorProto::name);
    let enums = message.enum_type.iter().map(EnumDescriptorProto::name);
    messages
        .chain(enums)
        .any(|nested| names::camel(nested) == name)
}

#[cfg(test)]
mod tests;
