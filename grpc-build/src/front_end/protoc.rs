//! A real protoc, run as a process.

mod places;

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use prost::Message;
use prost_types::FileDescriptorSet;

use super::Read;
use crate::error::Error;
use crate::report::{in_source, located};
use crate::sources::Sources;
use crate::suggestion;

const VARIABLE: &str = "PROTOC";
/// The program that is looked up on the `PATH`.
const NAME: &str = "protoc";

pub(super) fn read_from_env(sources: &Sources) -> Result<Read, Error> {
    let protoc = env::var_os(VARIABLE).map_or_else(|| PathBuf::from(NAME), PathBuf::from);
    let mut read = read(sources, &protoc)?;
    read.variables.push(VARIABLE);
    Ok(read)
}

#[cfg(feature = "vendored-protoc")]
pub(super) fn read_vendored(sources: &Sources) -> Result<Read, Error> {
    let protoc = protoc_bin_vendored::protoc_bin_path()
        .map_err(|error| Error::new(format!("no vendored protoc: {error}")))?;
    read(sources, &protoc)
}

pub(super) fn read(sources: &Sources, protoc: &Path) -> Result<Read, Error> {
    // A file, as protoc cannot write a set to standard output on every system.
    let directory = tempfile::tempdir()
        .map_err(|cause| Error::io("make a directory in", &env::temp_dir(), cause))?;
    let set = directory.path().join("set");

    let mut command = Command::new(protoc);
    command
        .arg("--include_imports")
        .arg("--include_source_info")
        .arg(joined("--descriptor_set_out=", &set));
    for include in sources.includes() {
        command.arg(joined("--proto_path=", include));
    }
    let output = command
        .args(sources.names())
        .output()
        .map_err(|cause| start_failed(protoc, cause))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        return Err(report(&text, sources, protoc));
    }

    let descriptors = fs::read(&set).map_err(|cause| Error::io("read", &set, cause))?;
    let typed = FileDescriptorSet::decode(&descriptors[..])
        .map_err(|error| Error::new(format!("{} wrote no set: {error}", protoc.display())))?;
    let files = typed
        .file
        .iter()
        .filter_map(|file| sources.find(file.name()))
        .collect();
    Ok(Read {
        descriptors,
        files,
        variables: Vec::new(),
    })
}

fn joined(option: &str, path: &Path) -> std::ffi::OsString {
    let mut argument = std::ffi::OsString::from(option);
    argument.push(path);
    argument
}

fn start_failed(protoc: &Path, cause: io::Error) -> Error {
    if cause.kind() == io::ErrorKind::NotFound {
        let place = if protoc == Path::new(NAME) {
            "on the PATH".to_owned()
        } else {
            format!("at {}", protoc.display())
        };
        // One text for builds with and without protox: it is true of both.
        Error::new(format!(
            "there is no protoc {place}. Install one (Debian: protobuf-compiler, Homebrew: \
             protobuf) and use FrontEnd::ProtocFromEnv, which takes the one that {VARIABLE} names, \
             else the one on the PATH; or use FrontEnd::Protox, which needs none and is there \
             unless grpc-build's default feature `protox` is off"
        ))
    } else {
        Error::io("run", protoc, cause)
    }
}

/// protoc's lines are `name:line:column: message`, or `name: message`; each is
/// shown with its source, and those without a place come last.
fn report(text: &str, sources: &Sources, protoc: &Path) -> Error {
    let mut lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let missing = imports_missing(&mut lines);
    let (mut texts, mut rest) = (Vec::new(), Vec::new());
    for (index, line) in lines.iter().enumerate() {
        let before = lines[..index].iter().filter(|other| other == &line).count();
        match report_line(line, before, &missing, sources, protoc) {
            Some(text) => texts.push(text),
            None => rest.push(*line),
        }
    }
    if texts.is_empty() {
        return Error::new(format!("{} failed: {}", protoc.display(), rest.join("\n")));
    }
    texts.extend(rest.iter().map(ToString::to_string));
    Error::of_all(&texts)
}

/// Takes out the lines that say of an import no more than that there is no such
/// file, and gives the names: they belong to the lines about the imports.
fn imports_missing<'t>(lines: &mut Vec<&'t str>) -> Vec<&'t str> {
    let all = lines.clone();
    let mut missing = Vec::new();
    lines.retain(|line| {
        let name = line.strip_suffix(": File not found.");
        let name = name.filter(|name| {
            let import = format!("Import \"{name}\" was not found");
            all.iter().any(|other| other.contains(&import))
        });
        missing.extend(name);
        name.is_none()
    });
    missing
}

fn report_line(
    text: &str,
    before: usize,
    missing: &[&str],
    sources: &Sources,
    protoc: &Path,
) -> Option<String> {
    let (name, rest) = text.split_once(':')?;
    sources.find(name)?;
    let source = sources.text(name).unwrap_or_default();
    let mut parts = rest.splitn(3, ':');
    let mut number = || parts.next()?.parse::<usize>().ok().filter(|it| *it > 0);
    let (Some(line), Some(column)) = (number(), number()) else {
        let message = rest.trim();
        let place = places::find(message, &source, before);
        return Some(located(sources, name, place, message, &[]));
    };
    let place = in_source(sources, name, line, column);
    let message = parts.next()?.trim();
    let import = message.strip_prefix("Import \"");
    let import = import.and_then(|rest| rest.split_once("\" was not found"));
    let is_edition = |line: &str| line.trim_start().starts_with("edition");
    let help = if source.lines().nth(line - 1).is_some_and(is_edition) {
        // The error of a protoc that does not support editions, or not this edition.
        Some(format!(
            "edition 2023 needs protoc 27 or newer, edition 2024 protoc 32; this is {}",
            protoc.display()
        ))
    } else if import.is_some_and(|(name, _)| missing.contains(&name)) {
        Some("no include path has such a file".to_owned())
    } else {
        suggestion::for_undefined(message, &source)
    };
    let notes: Vec<String> = help
        .map(|help| format!("help: {help}"))
        .into_iter()
        .collect();
    Some(located(sources, name, Some(place), message, &notes))
}
