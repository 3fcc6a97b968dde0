//! Imported files that generated code takes types from and that are not generated with it.
//!
//! grpc-build is given all files at once, so there such an import is an oversight and a warning. A
//! run of protoc may have a part of the files (buf makes one run per folder), and other runs
//! generate the rest: the plugin warns only where an include file is asked for, which has the
//! modules of one run.
//!
//! Packages that name each other's types, and files for which nothing is generated.

use std::collections::{BTreeMap, HashMap};

use prost_types::{DescriptorProto, EnumDescriptorProto, FileDescriptorProto};

use crate::error::Diagnostic;
use crate::full_names::{file_scope, full_name};
use crate::holding::Holding;
use crate::locations::{Locations, child, field};
use crate::options::Options;
use crate::paths::Paths;
use crate::request::Request;

/// A warning for each file that is imported, whose types are used and found nowhere
/// else, and that is not generated.
pub fn not_generated(request: &Request, options: &Options) -> Vec<Diagnostic> {
    // Without messages, all of them come from elsewhere.
    if !options.messages {
        return Vec::new();
    }
    let holding = Holding::of(request.files());
    let homes = homes(request, &holding);
    let paths = Paths::of(request, options);
    // By the file that uses it and the file it is from.
    let mut found: BTreeMap<(&str, &str), (&FileDescriptorProto, &str)> = BTreeMap::new();
    for (file, name) in uses(request, &holding, options) {
        if let Some(home) = homes.get(name)
            && paths.external(name).is_none()
        {
            found.entry((file.name(), *home)).or_insert((file, name));
        }
    }
    let warning = |((_, home), (file, name)): ((&str, &str), (&FileDescriptorProto, &str))| {
        let name = name.trim_start_matches('.');
        let message = format!("`{name}` is taken from `{home}`, which is not generated with it");
        let help = format!(
            "name `{home}` among the files to generate too, or say with `extern_path` where its \
             types are"
        );
        let import = file.dependency.iter().position(|import| import == home);
        let path = import.map(|index| child(&[], field::FILE_DEPENDENCY, index));
        let path = path.unwrap_or_default();
        Locations::of(file)
            .diagnostic(&path, message)
            .with_help(help)
    };
    found.into_iter().map(warning).collect()
}

/// A warning if a package names another's types and no `include_file` is asked for:
/// such paths count on modules that lie as the packages do, which the include file
/// has and whoever takes in package by package must write.
pub fn apart(request: &Request, options: &Options) -> Option<Diagnostic> {
    if options.include_file.is_some() {
        return None;
    }
    let holding = Holding::of(request.files());
    let paths = Paths::of(request, options);
    let mut packages: HashMap<String, &str> = HashMap::new();
    for file in request.files().iter().filter(|it| request.generates(it)) {
        let scope = file_scope(file);
        let enums = file.enum_type.iter().map(EnumDescriptorProto::name);
        let messages = file.message_type.iter().map(DescriptorProto::name);
        let names = enums.chain(messages).map(|name| full_name(&scope, name));
        packages.extend(names.map(|name| (name, file.package())));
    }
    let mut found: Vec<(&FileDescriptorProto, &str)> = uses(request, &holding, options)
        .into_iter()
        .filter(|(_, name)| paths.external(name).is_none())
        .filter_map(|(file, name)| {
            // Of a nested type the package is that of the message around it.
            let ends = name.match_indices('.').map(|(at, _)| at).skip(1);
            let mut names = ends.chain([name.len()]).map(|end| &name[..end]);
            let other = names.find_map(|name| packages.get(name))?;
            (file.package() != *other).then_some((file, *other))
        })
        .collect();
    found.sort_by(|(file, other), (next, another)| {
        (file.name(), other).cmp(&(next.name(), another))
    });
    let (file, other) = found.first()?;
    let message = format!(
        "the package `{}` names types of the package `{other}`, which in Rust needs modules that lie \
         as the packages do",
        file.package()
    );
    let help = "have them written by `include_file(\"all.rs\")`, and take in all packages with \
                `grpc_runtime::include_proto!(\"all\")`";
    let diagnostic = Locations::of(file).diagnostic(&[field::FILE_PACKAGE], message);
    Some(diagnostic.with_help(help))
}

/// A warning for each of the files, for none of which anything was generated, whose
/// types prost-types has.
pub(crate) fn ready_made(files: &[&FileDescriptorProto], paths: &Paths<'_>) -> Vec<Diagnostic> {
    let files = files
        .iter()
        .filter(|file| paths.is_ready_made(file.package()));
    let warning = |file: &&FileDescriptorProto| {
        let message = "nothing is generated for this file: its types are those of \
                       `::grpc_runtime::prost_types`";
        let help = format!(
            "leave it out of the files to generate; for types of your own say where they are with \
             `extern_path=.{}=…`",
            file.package()
        );
        Diagnostic::in_file(file.name(), message).with_help(help)
    };
    files.map(warning).collect()
}

/// The types that are not generated, each with the name of its file.
fn homes<'a>(request: &'a Request, holding: &Holding<'a>) -> HashMap<String, &'a str> {
    let mut homes = HashMap::new();
    for file in request.files() {
        if !request.generates(file) {
            let scope = file_scope(file);
            let enums = file.enum_type.iter();
            homes.extend(enums.map(|item| (full_name(&scope, item.name()), file.name())));
        }
    }
    for message in holding.messages() {
        if !request.generates(message.file) {
            let enums = message.descriptor.enum_type.iter();
            let enums = enums.map(|item| full_name(&message.name, item.name()));
            homes.extend(enums.map(|name| (name, message.file.name())));
            homes.insert(message.name.clone(), message.file.name());
        }
    }
    homes
}

/// The types that generated files name, each with the file.
fn uses<'a>(
    request: &'a Request,
    holding: &Holding<'a>,
    options: &Options,
) -> Vec<(&'a FileDescriptorProto, &'a str)> {
    let mut uses = Vec::new();
    for message in holding.messages() {
        let fields = message.descriptor.field.iter();
        let named = fields.filter(|item| !item.type_name().is_empty());
        uses.extend(named.map(|item| (message.file, item.type_name())));
    }
    if options.client || options.server {
        for file in request.files() {
            for method in file.service.iter().flat_map(|service| &service.method) {
                uses.extend([(file, method.input_type()), (file, method.output_type())]);
            }
        }
    }
    uses.retain(|(file, _)| request.generates(file));
    uses
}
