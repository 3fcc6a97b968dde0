//! The files that reflection can describe, by file name and by declared names.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;

use super::declared::{self, Declared};
use super::error::ReflectionError;
use super::file_set::{self, SetFile};
use crate::proto::grpc::{channelz, health, reflection};
use crate::proto::grpc_services::brought;
use crate::proto::xds::service::orca;

/// Where the files of the well-known types are. Compilers bring some of them themselves,
/// each in its own version.
const WELL_KNOWN: &str = "google/protobuf/";
/// The package of the file that names what this crate brings, and declares nothing.
const BROUGHT: &str = "grpc_services.brought";

/// A file, by its place.
pub(super) type FileId = usize;

/// The files of all sets, and what they declare.
#[derive(Debug, Default)]
pub(super) struct Descriptions {
    files: Vec<File>,
    by_name: HashMap<String, FileId>,
    symbols: HashMap<String, Symbol>,
    /// By the message that they extend, and their number.
    extensions: HashMap<String, BTreeMap<i32, FileId>>,
}

#[derive(Debug)]
struct File {
    name: String,
    bytes: Bytes,
    imports: Vec<FileId>,
}

#[derive(Debug, Clone, Copy)]
struct Symbol {
    file: FileId,
    is_message: bool,
}

/// A file of a set of the user's.
#[derive(Debug)]
struct Given {
    set: usize,
    file: SetFile,
}

impl Descriptions {
    /// The files of `sets`; files of this crate's services and of error details are added if
    /// the sets lack them.
    pub(super) fn new(sets: impl IntoIterator<Item = Bytes>) -> Result<Self, ReflectionError> {
        let given = merge(sets)?;
        let mut known = Self::default();
        let mut imports = Vec::new();
        for Given { file, .. } in given {
            imports.push(known.add(file)?);
        }
        let own = [
            channelz::v1::FILE_DESCRIPTOR_SET,
            health::v1::FILE_DESCRIPTOR_SET,
            reflection::v1::FILE_DESCRIPTOR_SET,
            reflection::v1alpha::FILE_DESCRIPTOR_SET,
            orca::v3::FILE_DESCRIPTOR_SET,
        ];
        let (well_known, brought): (Vec<_>, Vec<_>) = own_files(brought::FILE_DESCRIPTOR_SET)
            .into_iter()
            .filter(|file| file.proto.package() != BROUGHT)
            .partition(|file| file.proto.name().starts_with(WELL_KNOWN));
        for file in own.into_iter().flat_map(own_files).chain(brought) {
            if !known.has_of(&file) {
                imports.push(known.add(file)?);
            }
        }
        known.link(imports, well_known)?;
        Ok(known)
    }

    /// Adds a file, and gives the names of those that it imports.
    fn add(&mut self, file: SetFile) -> Result<Vec<String>, ReflectionError> {
        let SetFile { bytes, proto } = file;
        let id = self.files.len();
        for declared in declared::by(&proto) {
            match declared {
                Declared::Symbol { name, is_message } => {
                    let symbol = Symbol {
                        file: id,
                        is_message,
                    };
                    if let Some(other) = self.symbols.get(&name) {
                        let other = other.file;
                        return Err(ReflectionError::DuplicateSymbol {
                            symbol: name,
                            files: self.both(other, proto.name()),
                        });
                    }
                    self.symbols.insert(name, symbol);
                }
                Declared::Extension { extended, number } => {
                    let numbers = self.extensions.entry(extended.clone()).or_default();
                    if let Some(other) = numbers.insert(number, id) {
                        return Err(ReflectionError::DuplicateExtension {
                            extended,
                            number,
                            files: self.both(other, proto.name()),
                        });
                    }
                }
            }
        }
        let name = proto.name().to_owned();
        self.by_name.insert(name.clone(), id);
        self.files.push(File {
            name,
            bytes,
            imports: Vec::new(),
        });
        Ok(proto.dependency)
    }

    /// The names of a file and of one that is being added.
    fn both(&self, first: FileId, second: &str) -> [String; 2] {
        let first = self.files.get(first).map_or(second, |file| &file.name);
        [first.to_owned(), second.to_owned()]
    }

    /// Whether there is a file of this name, or one that declares the same.
    fn has_of(&self, file: &SetFile) -> bool {
        self.by_name.contains_key(file.proto.name())
            || declared::by(&file.proto).iter().any(|declared| {
                matches!(declared, Declared::Symbol { name, .. } if self.symbols.contains_key(name))
            })
    }

    /// Finds what each file imports; `well_known` has what no set need have.
    fn link(
        &mut self,
        mut imports: Vec<Vec<String>>,
        mut well_known: Vec<SetFile>,
    ) -> Result<(), ReflectionError> {
        let mut next = 0;
        while let Some(names) = imports.get_mut(next).map(std::mem::take) {
            for name in names {
                let mut import = self.by_name.get(&name).copied();
                if import.is_none() {
                    let mut files = well_known.iter();
                    if let Some(place) = files.position(|file| file.proto.name() == name) {
                        import = Some(self.files.len());
                        imports.push(self.add(well_known.swap_remove(place))?);
                    }
                }
                let Some(import) = import else {
                    return Err(ReflectionError::MissingImport {
                        file: self.files[next].name.clone(),
                        import: name,
                    });
                };
                self.files[next].imports.push(import);
            }
            next += 1;
        }
        Ok(())
    }

    /// The file of this name.
    pub(super) fn file(&self, name: &str) -> Option<FileId> {
        self.by_name.get(name).copied()
    }

    /// The file that declares this full name.
    pub(super) fn declaring(&self, symbol: &str) -> Option<FileId> {
        self.symbols.get(symbol).map(|symbol| symbol.file)
    }

    /// The file that extends this message with this number.
    pub(super) fn extending(&self, extended: &str, number: i32) -> Option<FileId> {
        self.extensions.get(extended)?.get(&number).copied()
    }

    /// The numbers of all extensions of a message, in their order; `None` where there is
    /// no such message.
    pub(super) fn extension_numbers(&self, extended: &str) -> Option<Vec<i32>> {
        if let Some(numbers) = self.extensions.get(extended) {
            return Some(numbers.keys().copied().collect());
        }
        let symbol = self.symbols.get(extended)?;
        symbol.is_message.then(Vec::new)
    }

    /// How many files there are.
    pub(super) fn count(&self) -> usize {
        self.files.len()
    }

    /// A file as its set had it.
    pub(super) fn bytes(&self, file: FileId) -> Bytes {
        self.files[file].bytes.clone()
    }

    /// The direct imports of a file.
    pub(super) fn imports(&self, file: FileId) -> &[FileId] {
        &self.files[file].imports
    }
}

/// The files of all sets, each once.
fn merge(sets: impl IntoIterator<Item = Bytes>) -> Result<Vec<Given>, ReflectionError> {
    let mut given: Vec<Given> = Vec::new();
    let mut by_name: HashMap<String, usize> = HashMap::new();
    for (set, bytes) in (1..).zip(sets) {
        let files =
            file_set::files(bytes).map_err(|source| ReflectionError::Malformed { set, source })?;
        for file in files {
            let name = file.proto.name();
            if name.is_empty() {
                return Err(ReflectionError::Unnamed { set });
            }
            let Some(&place) = by_name.get(name) else {
                by_name.insert(name.to_owned(), given.len());
                given.push(Given { set, file });
                continue;
            };
            let first = &mut given[place];
            if first.file.bytes == file.bytes {
                continue;
            }
            if !name.starts_with(WELL_KNOWN) {
                return Err(ReflectionError::DifferentFiles {
                    file: name.to_owned(),
                    sets: [first.set, set],
                    lengths: [first.file.bytes.len(), file.bytes.len()],
                });
            }
            // Later versions add to earlier ones.
            if first.file.bytes.len() < file.bytes.len() {
                *first = Given { set, file };
            }
        }
    }
    Ok(given)
}

/// The files of a set of this crate's, which can be read.
fn own_files(set: &'static [u8]) -> Vec<SetFile> {
    file_set::files(Bytes::from_static(set)).unwrap_or_default()
}
