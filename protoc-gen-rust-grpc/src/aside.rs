//! Renames modules of nested types that collide with packages. Types nested in a message
//! `Bar` are in the module `bar`; if a package beside the message has that name too, the
//! package keeps it, since every path to the package contains it, and the message's module
//! becomes `bar_`.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use prost_types::FileDescriptorProto;

use crate::error::Diagnostic;
use crate::full_names::{file_scope, full_name};
use crate::locations::{Locations, child, field};
use crate::names;
use crate::request::Request;
use crate::scope::has_module;

/// One such module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Moved {
    /// The name without the collision.
    pub(crate) wanted: String,
    /// The name that it gets.
    pub(crate) name: String,
    /// The package that has the name.
    pub(crate) package: String,
}

impl Moved {
    /// A sentence for readers who look for it under the other name.
    pub(crate) fn note(&self) -> String {
        let Self {
            wanted,
            name,
            package,
        } = self;
        format!("Named `{name}` because the package `{package}` is `{wanted}`.")
    }
}

/// The messages whose modules step aside, by full name with a leading dot.
///
/// `home` returns the user's extern path that covers a name. A message can collide with
/// packages of the same home: those under the same extern path, in the other crate, or those
/// under none, in this crate.
pub(crate) fn modules(
    request: &Request,
    home: impl Fn(&str) -> Option<String>,
) -> BTreeMap<String, Moved> {
    let packages = by_place(request);
    let mut moved = BTreeMap::new();
    for file in request.files() {
        let scope = file_scope(file);
        let others: HashSet<String> = file
            .message_type
            .iter()
            .map(|message| names::snake(message.name()))
            .collect();
        for message in file.message_type.iter().filter(|it| has_module(it)) {
            let full = full_name(&scope, message.name());
            let wanted = names::snake(message.name());
            let place = home(&full);
            let beside = packages.get(&(scope.clone(), wanted.clone()));
            let mut beside = beside.into_iter().flatten();
            let Some(taker) = beside.find(|package| home(&format!(".{package}")) == place) else {
                continue;
            };
            let mut name = wanted.strip_prefix("r#").unwrap_or(&wanted).to_owned();
            while name == wanted || others.contains(&name) || !name.ends_with('_') {
                name.push('_');
            }
            let package = (*taker).to_owned();
            moved.insert(
                full,
                Moved {
                    wanted,
                    name,
                    package,
                },
            );
        }
    }
    moved
}

/// The packages by a module on the way to them: the scope it is in, and its name.
fn by_place(request: &Request) -> HashMap<(String, String), BTreeSet<&str>> {
    let packages = request.files().iter().map(FileDescriptorProto::package);
    let packages: BTreeSet<&str> = packages.filter(|package| !package.is_empty()).collect();
    let mut places: HashMap<(String, String), BTreeSet<&str>> = HashMap::new();
    for package in packages {
        let mut scope = String::new();
        for part in package.split('.') {
            let place = (scope.clone(), names::snake(part));
            places.entry(place).or_default().insert(package);
            scope = full_name(&scope, part);
        }
    }
    places
}

/// A warning for each message to generate whose module steps aside, unless it
/// `is_external`.
pub(crate) fn warnings(
    request: &Request,
    moved: &BTreeMap<String, Moved>,
    is_external: impl Fn(&str) -> bool,
) -> Vec<Diagnostic> {
    let mut warnings = Vec::new();
    for file in request.files().iter().filter(|it| request.generates(it)) {
        let scope = file_scope(file);
        for (index, message) in file.message_type.iter().enumerate() {
            let name = full_name(&scope, message.name());
            // A type of another crate is not generated.
            let moved = moved.get(&name).filter(|_| !is_external(&name));
            if let Some(moved) = moved {
                let path = child(&[], field::FILE_MESSAGE, index);
                let text = format!(
                    "for what is nested in the message `{}`, the module `{}` is generated because \
                     the package `{}` is `{}`",
                    message.name(),
                    moved.name,
                    moved.package,
                    moved.wanted
                );
                warnings.push(Locations::of(file).diagnostic(&path, text));
            }
        }
    }
    warnings
}
