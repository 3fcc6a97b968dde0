//! The front-end in Rust.

mod comments;
mod names;
mod oneofs;
mod report;
mod source_info;

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs;
use std::io;

use prost_types::FileDescriptorProto;
use protox::Compiler;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};

use super::Read;
use crate::error::Error;
use crate::sources::{Sources, without_mark};

pub(super) fn read(sources: &Sources) -> Result<Read, Error> {
    let first = compile(sources, Disk::new(sources));
    let corrected = first.is_err();
    let compiler = first.or_else(|errors| {
        // protox looks names up in all files that it has read, protoc only in imported ones;
        // and protox may generate a name that exists already. So the files may be valid:
        // compile once more, with both corrected.
        let disk = Disk {
            corrects: true,
            ..Disk::new(sources)
        };
        compile(sources, disk).map_err(|still| told(&errors, &still, sources))
    })?;
    // Encoded by protox: the typed set would lose custom options.
    let mut descriptors = compiler.encode_file_descriptor_set();
    if corrected {
        let disk = Disk::new(sources);
        descriptors = names::without_added_imports(&descriptors, |name| {
            disk.imported(name).map(|file| file.dependency.len())
        })?;
    }
    let descriptors = source_info::as_protoc_writes(&descriptors, |name| {
        (!is_bundled(name)).then(|| sources.text(name)).flatten()
    })?;
    let files = compiler
        .files()
        .filter(|file| !is_bundled(file.name()))
        .filter_map(|file| sources.find(file.name()))
        .collect();
    Ok(Read {
        descriptors,
        files,
        variables: Vec::new(),
    })
}

/// Whether the file is bundled with protox, which then reads none of that name from disk.
fn is_bundled(name: &str) -> bool {
    GoogleFileResolver::new().open_file(name).is_ok()
}

/// A file to generate, and why it cannot be.
type Refused = (String, protox::Error);

/// Every file is tried, so that the mistakes of all are known.
fn compile(sources: &Sources, disk: Disk) -> Result<Compiler, Vec<Refused>> {
    let mut resolver = ChainFileResolver::new();
    // protox's own well-known files go first: a newer descriptor.proto on an
    // include path uses editions, which it cannot read.
    resolver.add(GoogleFileResolver::new());
    resolver.add(disk);

    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler.include_imports(true).include_source_info(true);
    let mut errors = Vec::new();
    for name in sources.names() {
        let error = compiler.open_file(name).err();
        errors.extend(error.map(|error| (name.clone(), error)));
    }
    if errors.is_empty() {
        Ok(compiler)
    } else {
        Err(errors)
    }
}

/// The first reading's errors, which know places, of the files that were refused
/// `still` when names were put right.
fn told(errors: &[Refused], still: &[Refused], sources: &Sources) -> Error {
    let is_bad = |name: &String| still.iter().any(|(other, _)| other == name);
    let mut bad: Vec<&Refused> = errors.iter().filter(|(name, _)| is_bad(name)).collect();
    if bad.is_empty() {
        bad = errors.iter().collect();
    }
    let mut texts: Vec<String> = Vec::new();
    for text in bad
        .iter()
        .flat_map(|(_, error)| report::report(error, sources))
    {
        // Two files may import the same broken one.
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    let disk = Disk::new(sources);
    let files = bad
        .iter()
        .filter_map(|(_, error)| disk.imported(error.file()?));
    let no_mistakes: Vec<String> = files
        .flat_map(|file| oneofs::taken_twice(&file))
        .map(|name| format!("name '{name}' is defined twice"))
        .collect();
    texts.retain(|text| !no_mistakes.iter().any(|none| text.contains(none)));
    if texts.is_empty() {
        let still = still.iter();
        texts.extend(still.flat_map(|(_, error)| report::report(error, sources)));
    }
    Error::of_all(&texts)
}

/// The include paths. Unlike protox's own resolver it takes files that begin
/// with a byte order mark, as protoc does.
#[derive(Debug)]
struct Disk {
    sources: Sources,
    /// Whether names that protox would get wrong are put right.
    corrects: bool,
    /// Files that were read, since several files may import one.
    parsed: RefCell<HashMap<String, File>>,
}

impl Disk {
    fn new(sources: &Sources) -> Self {
        Self {
            sources: sources.clone(),
            corrects: false,
            parsed: RefCell::default(),
        }
    }

    fn parse(&self, name: &str) -> Result<File, protox::Error> {
        let path = self
            .sources
            .find(name)
            .ok_or_else(|| protox::Error::file_not_found(name))?;
        let text = fs::read_to_string(&path).map_err(|cause| {
            let cause = io::Error::new(
                cause.kind(),
                format!("cannot read {}: {cause}", path.display()),
            );
            protox::Error::from(cause)
        })?;
        File::from_source(name, &without_mark(text))
    }

    /// A parsed file, for the names that it defines.
    fn imported(&self, name: &str) -> Option<FileDescriptorProto> {
        if let Ok(file) = GoogleFileResolver::new().open_file(name) {
            return Some(file.file_descriptor_proto().clone());
        }
        if let Some(file) = self.parsed.borrow().get(name) {
            return Some(file.file_descriptor_proto().clone());
        }
        let file = self.parse(name).ok()?;
        let descriptor = file.file_descriptor_proto().clone();
        self.parsed.borrow_mut().insert(name.to_owned(), file);
        Some(descriptor)
    }
}

impl FileResolver for Disk {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        if !self.corrects {
            return self.parse(name);
        }
        let file = self
            .imported(name)
            .ok_or_else(|| protox::Error::file_not_found(name))?;
        let mut file = names::look_up(file, |import| self.imported(import));
        oneofs::rename(&mut file);
        Ok(File::from_file_descriptor_proto(file))
    }
}

#[cfg(test)]
mod tests;
