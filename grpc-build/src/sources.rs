//! The `.proto` files on disk: which name an import would have for a path, and
//! which path a name has. One answer for all front-ends.

use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::error::Error;

/// The include directories, and the names of the files to generate.
#[derive(Clone, Debug)]
pub(crate) struct Sources {
    includes: Vec<PathBuf>,
    names: Vec<String>,
}

impl Sources {
    pub(crate) fn new(
        protos: &[impl AsRef<Path>],
        includes: &[impl AsRef<Path>],
    ) -> Result<Self, Error> {
        let mut sources = Self {
            includes: includes
                .iter()
                .map(|include| include.as_ref().to_owned())
                .collect(),
            names: Vec::new(),
        };
        if protos.is_empty() {
            return Err(Error::new("no .proto files to compile"));
        }
        for include in &sources.includes {
            if !include.is_dir() {
                return Err(Error::new(format!(
                    "the include path {} is not a directory",
                    include.display()
                )));
            }
        }
        for proto in protos {
            let name = sources.name(proto.as_ref())?;
            if !sources.names.contains(&name) {
                sources.names.push(name);
            }
        }
        Ok(sources)
    }

    /// The files to generate, as an import would name them.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    pub(crate) fn includes(&self) -> &[PathBuf] {
        &self.includes
    }

    /// The file that an import of `name` means: that of the first include path
    /// that has it.
    pub(crate) fn find(&self, name: &str) -> Option<PathBuf> {
        self.includes
            .iter()
            .map(|include| include.join(name))
            .find(|path| path.is_file())
    }

    /// The path of the file named so, for people to read; its name where there is
    /// no such file.
    pub(crate) fn shown(&self, name: &str) -> String {
        let path = self.find(name).unwrap_or_else(|| PathBuf::from(name));
        let path = path.strip_prefix(".").unwrap_or(&path);
        path.display().to_string()
    }

    /// The text of the file named so, without a byte order mark.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        let text = fs::read_to_string(self.find(name)?).ok()?;
        Some(without_mark(text))
    }

    /// The name of a file given by its path, or by its name.
    fn name(&self, proto: &Path) -> Result<String, Error> {
        let under = self
            .includes
            .iter()
            .find_map(|include| import_name(relative(proto, include)?));
        if let Some(name) = under {
            return match self.find(&name) {
                Some(found) if same(&found, proto) => Ok(name),
                Some(found) => Err(Error::new(format!(
                    "{} is hidden by {}, which an earlier include path has under the same name",
                    proto.display(),
                    found.display()
                ))),
                None => Err(self.missing(proto)),
            };
        }
        let name = import_name(proto).filter(|name| self.find(name).is_some());
        name.ok_or_else(|| {
            if proto.is_file() {
                Error::new(format!(
                    "{} is in none of the include paths ({})",
                    proto.display(),
                    self.listed()
                ))
            } else {
                self.missing(proto)
            }
        })
    }

    fn missing(&self, proto: &Path) -> Error {
        Error::new(format!(
            "there is no file {} (include paths: {}; relative to {})",
            proto.display(),
            self.listed(),
            std::env::current_dir().map_or_else(
                |_| "the current directory".to_owned(),
                |directory| directory.display().to_string()
            )
        ))
    }

    fn listed(&self) -> String {
        let listed: Vec<String> = self
            .includes
            .iter()
            .map(|include| include.display().to_string())
            .collect();
        if listed.is_empty() {
            "none".to_owned()
        } else {
            listed.join(", ")
        }
    }
}

/// Removes the mark some editors write at the start of a file.
pub(crate) fn without_mark(mut text: String) -> String {
    if text.starts_with('\u{feff}') {
        text.remove(0);
    }
    text
}

/// `path` below `directory`, whatever `./` either has in it.
fn relative<'p>(path: &'p Path, directory: &Path) -> Option<&'p Path> {
    let mut rest = path.components();
    let is_step = |component: &Component<'_>| !matches!(component, Component::CurDir);
    for step in directory.components().filter(is_step) {
        let next = loop {
            match rest.next()? {
                Component::CurDir => {}
                other => break other,
            }
        };
        if next != step {
            return None;
        }
    }
    Some(rest.as_path())
}

/// A relative path with `/` between its parts; `None` if it leaves its root or
/// is not Unicode.
fn import_name(path: &Path) -> Option<String> {
    let mut parts = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(part) => parts.push(part.to_str()?),
            Component::CurDir => {}
            _ => return None,
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}

fn same(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
