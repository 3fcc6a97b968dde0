//! The files of a corpus, as protoc sees them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use prost::Message;
use prost_types::FileDescriptorSet;

use crate::Failure;

/// What is known of one file.
#[derive(Clone, Debug)]
pub(crate) struct File {
    imports: Vec<String>,
    editions: bool,
    services: usize,
    methods: usize,
}

/// Files that are generated together.
#[derive(Clone, Debug)]
pub(crate) struct Corpus {
    pub(crate) name: String,
    pub(crate) includes: Vec<PathBuf>,
    pub(crate) files: BTreeMap<String, File>,
    /// protoc's complaints of files that are not valid.
    pub(crate) invalid: Vec<String>,
}

impl Corpus {
    /// Reads `NAME=INCLUDE[,INCLUDE…][:FOLDER[,FOLDER…]]`. What uses editions,
    /// which not every front-end can read, becomes a second corpus: of all files,
    /// as the one kind imports the other.
    pub(crate) fn read(argument: &str, work: &Path) -> Result<Vec<Self>, Failure> {
        let wrong = || format!("`{argument}` is not NAME=INCLUDE[,INCLUDE…][:FOLDER[,FOLDER…]]");
        let (name, rest) = argument.split_once('=').ok_or_else(wrong)?;
        let (includes, folders) = rest.split_once(':').unwrap_or((rest, ""));
        let includes: Vec<PathBuf> = includes.split(',').map(PathBuf::from).collect();
        let root = includes.first().ok_or_else(wrong)?;
        let mut names = Vec::new();
        for folder in folders.split(',') {
            collect(root, &root.join(folder), &mut names)?;
        }
        names.sort();

        let mut invalid = Vec::new();
        let files = loop {
            match describe(&names, &includes, work)? {
                Ok(files) => break files,
                Err(complaint) => {
                    let before = names.len();
                    names.retain(|name| !blames(&complaint, name));
                    if names.len() == before {
                        return Err(format!("{name}: {complaint}").into());
                    }
                    invalid.push(complaint);
                }
            }
        };
        let all = Self {
            name: name.to_owned(),
            includes,
            files,
            invalid,
        };
        let mut classic = all.clone();
        for (name, file) in &all.files {
            if file.editions {
                classic.leave_out(name);
            }
        }
        if classic.files.len() == all.files.len() {
            return Ok(vec![all]);
        }
        let editions = Self {
            name: format!("{name}_editions"),
            ..all
        };
        classic.invalid.clear();
        Ok(if classic.files.is_empty() {
            vec![editions]
        } else {
            vec![classic, editions]
        })
    }

    pub(crate) fn uses_editions(&self) -> bool {
        self.files.values().any(|file| file.editions)
    }

    pub(crate) fn services(&self) -> usize {
        self.files.values().map(|file| file.services).sum()
    }

    pub(crate) fn methods(&self) -> usize {
        self.files.values().map(|file| file.methods).sum()
    }

    /// The file whose place the error names.
    pub(crate) fn blamed(&self, error: &str) -> Option<&str> {
        self.files
            .keys()
            .find(|name| self.has_place(error, name))
            .map(String::as_str)
    }

    /// Whether the error begins with `name:line:column:`, the plugin's, or with a
    /// path on disk for the name, grpc-build's.
    fn has_place(&self, error: &str, name: &str) -> bool {
        let on_disk = self.includes.iter().find_map(|include| {
            let rest = error.strip_prefix(include.to_str()?)?;
            rest.strip_prefix('/')?.strip_prefix(name)
        });
        let Some(rest) = on_disk.or_else(|| error.strip_prefix(name)) else {
            return false;
        };
        let mut parts = rest.splitn(4, ':');
        let mut is_number = || {
            parts
                .next()
                .is_some_and(|part| part.parse::<usize>().is_ok())
        };
        !is_number() && is_number() && is_number()
    }

    /// Takes out a file, and with it those that import it.
    pub(crate) fn leave_out(&mut self, name: &str) {
        let mut out = vec![name.to_owned()];
        while let Some(name) = out.pop() {
            self.files.remove(&name);
            let importers = self.files.iter();
            out.extend(
                importers
                    .filter(|(_, file)| file.imports.contains(&name))
                    .map(|(importer, _)| importer.clone()),
            );
        }
    }
}

/// Whether one of protoc's lines, which begin with the path on disk, is of the
/// file.
fn blames(complaint: &str, name: &str) -> bool {
    complaint.lines().any(|line| {
        let path = line.split(':').next().unwrap_or_default();
        path.strip_suffix(name)
            .is_some_and(|include| include.is_empty() || include.ends_with('/'))
    })
}

/// Import names of all files below `folder`.
fn collect(root: &Path, folder: &Path, names: &mut Vec<String>) -> Result<(), Failure> {
    for entry in fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            collect(root, &path, names)?;
        } else if path
            .extension()
            .is_some_and(|extension| extension == "proto")
        {
            let name = path.strip_prefix(root)?;
            names.push(name.to_str().ok_or("a name is not Unicode")?.to_owned());
        }
    }
    Ok(())
}

/// The files and all they import, or what protoc says of them.
fn describe(
    names: &[String],
    includes: &[PathBuf],
    work: &Path,
) -> Result<Result<BTreeMap<String, File>, String>, Failure> {
    let set = work.join("described.set");
    let list = work.join("described.txt");
    fs::write(&list, names.join("\n"))?;
    let output = Command::new(protoc_bin_vendored::protoc_bin_path()?)
        .args(
            includes
                .iter()
                .map(|include| format!("-I{}", include.display())),
        )
        .arg("--include_imports")
        .arg(format!("--descriptor_set_out={}", set.display()))
        .arg(format!("@{}", list.display()))
        .output()?;
    if !output.status.success() {
        return Ok(Err(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    let set = FileDescriptorSet::decode(&fs::read(&set)?[..])?;
    let described = set.file.into_iter().map(|file| {
        let services = file.service.len();
        let methods = file
            .service
            .iter()
            .map(|service| service.method.len())
            .sum();
        // protox knows an older descriptor.proto than the files with the features
        // of editions, which are no edition files themselves, need.
        let editions = file.syntax() == "editions" || file.name().ends_with("_features.proto");
        let described = File {
            imports: file.dependency,
            editions,
            services,
            methods,
        };
        (file.name.unwrap_or_default(), described)
    });
    // The well-known types are in the runtime.
    let well_known = protoc_bin_vendored::include_path()?;
    Ok(Ok(described
        .filter(|(name, _)| !well_known.join(name).is_file())
        .collect()))
}
