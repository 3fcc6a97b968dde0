//! The front-end in Rust.

use std::fs;
use std::io;

use miette::Diagnostic;
use protox::Compiler;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};

use super::{EDITIONS, Read};
use crate::error::Error;
use crate::report::{Place, located};
use crate::sources::{Sources, without_mark};

pub(super) fn read(sources: &Sources) -> Result<Read, Error> {
    let mut resolver = ChainFileResolver::new();
    // protox's own well-known files go first: a newer descriptor.proto on an
    // include path uses editions, which it cannot read.
    resolver.add(GoogleFileResolver::new());
    resolver.add(Disk(sources.clone()));

    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler.include_imports(true).include_source_info(true);
    for name in sources.names() {
        compiler
            .open_file(name)
            .map_err(|error| report(&error, sources))?;
    }
    let files = compiler
        .files()
        .filter(|file| GoogleFileResolver::new().open_file(file.name()).is_err())
        .filter_map(|file| sources.find(file.name()))
        .collect();
    Ok(Read {
        // Not by way of the typed set, which knows no custom options.
        descriptors: compiler.encode_file_descriptor_set(),
        files,
        variables: Vec::new(),
    })
}

/// The include paths. Unlike protox's own resolver it takes files that begin
/// with a byte order mark, as protoc does.
#[derive(Debug)]
struct Disk(Sources);

impl FileResolver for Disk {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        let path = self
            .0
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
}

/// protox's `Display` has the message alone.
fn report(error: &protox::Error, sources: &Sources) -> Error {
    use std::fmt::Write as _;

    let mut message = error.to_string();
    let Some(name) = error.file() else {
        return Error::new(message);
    };
    if let Some(help) = error.help() {
        let _ = write!(message, " ({help})");
    }
    let text = sources.text(name).unwrap_or_default();
    let label = error.labels().and_then(|mut labels| labels.next());
    let place = label.map(|label| {
        let marked = text.get(label.offset()..).unwrap_or_default();
        if error.is_parse() && marked.starts_with("edition") {
            EDITIONS.clone_into(&mut message);
        }
        Place::at_offset(&text, label.offset(), label.len())
    });
    located(sources, name, place, &message)
}
