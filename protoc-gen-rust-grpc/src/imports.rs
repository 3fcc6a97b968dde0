//! Imported files that generated code takes types from and that are not generated
//! with it. For who gives all files at once it is an oversight, which the compiler
//! would tell as a type that is not there. It must never be told to who runs protoc
//! file by file or, as buf does, folder by folder: others of its runs generate them.

use std::collections::{BTreeMap, HashMap};

use prost_types::FileDescriptorProto;

use crate::descriptors::{file_scope, full_name};
use crate::error::Diagnostic;
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
    let paths = Paths::new(&options.extern_paths);
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
