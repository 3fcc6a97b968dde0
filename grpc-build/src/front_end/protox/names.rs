//! Type names, looked up as protoc does: in the file itself and in what it
//! imports. protox looks in every file it has read, where a package that the
//! file knows nothing of can hide the one that is meant: `common.Money` in the
//! package `shop.till` is not `shop.common.Money` any more once some other file
//! has the package `shop.till.common`. And it does not see through a public
//! import within a public import.

use std::collections::HashSet;

use prost::encoding::{DecodeContext, decode_key, skip_field};
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
};

use crate::error::Error;
use crate::request::{broken, files, name, put_file};

/// `FileDescriptorProto.dependency`
const FILE_DEPENDENCY: u32 = 3;

/// The file with all names of types that are found made absolute, and with what
/// it sees through public imports imported directly. `open` gives the files
/// imported.
pub(super) fn look_up(
    mut file: FileDescriptorProto,
    open: impl Fn(&str) -> Option<FileDescriptorProto>,
) -> FileDescriptorProto {
    let mut symbols = Symbols::default();
    symbols.add(&file);
    let mut next = 0;
    while let Some(name) = file.dependency.get(next) {
        next += 1;
        let Some(import) = open(name) else { continue };
        symbols.add(&import);
        let public = import.public_dependency.iter();
        for index in public.filter_map(|index| usize::try_from(*index).ok()) {
            if let Some(name) = import.dependency.get(index)
                && !file.dependency.contains(name)
            {
                file.dependency.push(name.clone());
            }
        }
    }

    let scope = file.package().to_owned();
    symbols.messages(&scope, &mut file.message_type);
    symbols.fields(&scope, &mut file.extension);
    for service in &mut file.service {
        let scope = join(&scope, service.name());
        for method in &mut service.method {
            symbols.absolute(&scope, &mut method.input_type);
            symbols.absolute(&scope, &mut method.output_type);
        }
    }
    file
}

/// An encoded set with only as many imports in each file as it has written in it,
/// which `count` tells; those that [`look_up`] has added come last.
pub(super) fn without_added_imports(
    descriptors: &[u8],
    count: impl Fn(&str) -> Option<usize>,
) -> Result<Vec<u8>, Error> {
    let mut set = Vec::new();
    for file in files(descriptors)? {
        let mut kept = count(&name(file)?).unwrap_or(usize::MAX);
        let mut out = Vec::with_capacity(file.len());
        let mut rest = file;
        while !rest.is_empty() {
            let start = rest;
            let (field, wire_type) = decode_key(&mut rest).map_err(|_| broken())?;
            skip_field(wire_type, field, &mut rest, DecodeContext::default())
                .map_err(|_| broken())?;
            if field == FILE_DEPENDENCY {
                let Some(left) = kept.checked_sub(1) else {
                    continue;
                };
                kept = left;
            }
            out.extend_from_slice(&start[..start.len() - rest.len()]);
        }
        put_file(&out, &mut set);
    }
    Ok(set)
}

/// The names that are visible from a file: full names without a leading dot.
#[derive(Debug, Default)]
struct Symbols {
    packages: HashSet<String>,
    types: HashSet<String>,
}

impl Symbols {
    fn add(&mut self, file: &FileDescriptorProto) {
        let package = file.package();
        let ends = package.match_indices('.').map(|(at, _)| at);
        self.packages.extend(
            ends.chain([package.len()])
                .map(|end| package[..end].to_owned()),
        );
        self.add_types(package, &file.message_type, &file.enum_type);
    }

    fn add_types(
        &mut self,
        scope: &str,
        messages: &[DescriptorProto],
        enums: &[EnumDescriptorProto],
    ) {
        self.types
            .extend(enums.iter().map(|item| join(scope, item.name())));
        for message in messages {
            let name = join(scope, message.name());
            self.add_types(&name, &message.nested_type, &message.enum_type);
            self.types.insert(name);
        }
    }

    fn messages(&self, scope: &str, messages: &mut [DescriptorProto]) {
        for message in messages {
            let name = join(scope, message.name());
            self.fields(&name, &mut message.field);
            self.fields(&name, &mut message.extension);
            self.messages(&name, &mut message.nested_type);
        }
    }

    fn fields(&self, scope: &str, fields: &mut [FieldDescriptorProto]) {
        for field in fields {
            self.absolute(scope, &mut field.type_name);
            self.absolute(scope, &mut field.extendee);
        }
    }

    /// Leaves a name that is not found unchanged: protox then reports it.
    fn absolute(&self, scope: &str, name: &mut Option<String>) {
        let found = name.as_deref().and_then(|name| self.find(scope, name));
        if let Some(found) = found {
            *name = Some(format!(".{found}"));
        }
    }

    /// The first part of a name is searched from the innermost scope outwards;
    /// where it is found, the rest has to be.
    fn find(&self, mut scope: &str, name: &str) -> Option<String> {
        let (first, rest) = name.split_once('.').unwrap_or((name, ""));
        if first.is_empty() {
            return None;
        }
        loop {
            let start = join(scope, first);
            if rest.is_empty() {
                if self.types.contains(&start) {
                    return Some(start);
                }
            } else if self.types.contains(&start) || self.packages.contains(&start) {
                let whole = join(&start, rest);
                return self.types.contains(&whole).then_some(whole);
            }
            if scope.is_empty() {
                return None;
            }
            scope = scope.rsplit_once('.').map_or("", |(outer, _)| outer);
        }
    }
}

fn join(scope: &str, name: &str) -> String {
    if scope.is_empty() {
        name.to_owned()
    } else {
        format!("{scope}.{name}")
    }
}
