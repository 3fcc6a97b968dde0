//! The files that calls of this process, a build script, have written: so that one call does
//! not replace files of another, and `include_proto!` finds every package.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::Error;
use crate::sources::Sources;

/// A written file: its `.proto` files and its content.
struct Written {
    protos: Vec<String>,
    content: Vec<u8>,
}

static WRITTEN: Mutex<BTreeMap<PathBuf, Written>> = Mutex::new(BTreeMap::new());

fn written() -> MutexGuard<'static, BTreeMap<PathBuf, Written>> {
    WRITTEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes `files`, by path and content, for a call with `sources`.
///
/// Fails on a file that a call with other sources wrote with other content. A call with the
/// same sources is a second run of one call.
pub(crate) fn claim(files: &[(PathBuf, &[u8])], sources: &Sources) -> Result<(), Error> {
    let mut written = written();
    let mut own: Vec<String> = sources
        .names()
        .iter()
        .map(|name| sources.shown(name))
        .collect();
    own.sort();
    for (path, content) in files {
        if let Some(other) = written.get(path)
            && other.protos != own
            && other.content != *content
        {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let directory = path.parent().unwrap_or(Path::new(""));
            return Err(Error::new(format!(
                "`{name}` would replace what another call of this build script has written to {}: \
                 one call is for {}, this one for {}. Name the files of both in one call, as all \
                 files of a package and one `include_file` must be; or give the calls directories \
                 of their own with Config::out_dir",
                directory.display(),
                other.protos.join(", "),
                own.join(", ")
            )));
        }
    }
    for (path, content) in files {
        let protos = own.clone();
        let content = content.to_vec();
        written.insert(path.clone(), Written { protos, content });
    }
    Ok(())
}

/// The lines for cargo by which `grpc_runtime::include_proto!` finds the files written to
/// the directory.
pub(crate) fn variables(directory: &Path) -> Vec<String> {
    let written = written();
    let files = written.keys().filter(|path| {
        path.parent() == Some(directory) && path.extension().is_some_and(|end| end == "rs")
    });
    let files: Vec<(&Path, &str)> = files
        .filter_map(|path| Some((path.as_path(), path.file_stem()?.to_str()?)))
        .collect();
    let line = |(path, stem): &(&Path, &str)| {
        format!("cargo:rustc-env=GRPC_BUILD_FILE_{stem}={}", path.display())
    };
    let mut lines: Vec<String> = files.iter().map(line).collect();
    let name = |(_, stem): &(&Path, &str)| match *stem {
        "_" => "`_` (what has no package)".to_owned(),
        stem => format!("`{stem}`"),
    };
    let names: Vec<String> = files.iter().map(name).collect();
    lines.push(format!(
        "cargo:rustc-env=GRPC_BUILD_NAMES={}",
        names.join(", ")
    ));
    lines
}
