//! The parser of the `protobuf` crates, behind its feature. It accepts much that protoc refuses,
//! panics on some mistakes and overflows the stack on a cycle of imports, so it is given only
//! files that protox has accepted. It drops comments and places, so its result is not written as a
//! descriptor set.

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

use prost::Message as _;
use prost_types::FileDescriptorSet;
use protobuf::Message as _;
use protox::file::{FileResolver, GoogleFileResolver};

use super::{Read, protox as checker};
use crate::error::Error;
use crate::sources::Sources;

pub(super) fn read(sources: &Sources) -> Result<Read, Error> {
    let checked = checker::read(sources)?;
    let typed = FileDescriptorSet::decode(&checked.descriptors[..])
        .map_err(|error| Error::new(format!("protox wrote no set: {error}")))?;

    // A folder with the files that were read and no others: the parser then
    // takes its own well-known files, not those on an include path, which may
    // be too new for it.
    let directory = tempfile::tempdir()
        .map_err(|cause| Error::io("make a directory in", &std::env::temp_dir(), cause))?;
    for file in &typed.file {
        let name = file.name();
        let is_own = GoogleFileResolver::new().open_file(name).is_ok();
        if is_own && !sources.names().iter().any(|wanted| wanted == name) {
            continue;
        }
        let path = directory.path().join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|cause| Error::io("create", parent, cause))?;
        }
        let text = sources.text(name).unwrap_or_default();
        fs::write(&path, text).map_err(|cause| Error::io("write", &path, cause))?;
    }
    Ok(Read {
        descriptors: parse(sources.names(), directory.path())?,
        ..checked
    })
}

fn parse(names: &[String], directory: &Path) -> Result<Vec<u8>, Error> {
    let parsed = catch_unwind(|| {
        protobuf_parse::Parser::new()
            .pure()
            .include(directory)
            .inputs(names.iter().map(|name| directory.join(name)))
            .parse_and_typecheck()
    });
    let parsed = match parsed {
        Ok(Ok(parsed)) => parsed,
        Ok(Err(error)) => {
            let text = format!("{error:#}").replace(&format!("{}/", directory.display()), "");
            return Err(refused(&text));
        }
        Err(_) => return Err(refused("it panicked")),
    };
    let mut set = protobuf::descriptor::FileDescriptorSet::new();
    set.file = parsed.file_descriptors;
    set.write_to_bytes()
        .map_err(|error| refused(&error.to_string()))
}

fn refused(why: &str) -> Error {
    Error::new(format!(
        "protobuf-parse cannot read these files, which are valid: {why}; use FrontEnd::Protox"
    ))
}

#[cfg(test)]
mod tests;
