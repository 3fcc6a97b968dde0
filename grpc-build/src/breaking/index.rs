//! A descriptor set by full names, each with its place.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use prost_types::{
    DescriptorProto, EnumDescriptorProto, FileDescriptorProto, ServiceDescriptorProto,
};
use protoc_gen_rust_grpc::ResolvedSet;

/// Numbers in `descriptor.proto` that paths of places are made of.
pub(super) mod number {
    pub(crate) const NAME: i32 = 1;
    pub(crate) const FILE_PACKAGE: i32 = 2;
    pub(crate) const FILE_MESSAGE: i32 = 4;
    pub(crate) const FILE_ENUM: i32 = 5;
    pub(crate) const FILE_SERVICE: i32 = 6;
    pub(crate) const MESSAGE_FIELD: i32 = 2;
    pub(crate) const MESSAGE_NESTED: i32 = 3;
    pub(crate) const MESSAGE_ENUM: i32 = 4;
    pub(crate) const ENUM_VALUE: i32 = 2;
    pub(crate) const SERVICE_METHOD: i32 = 2;
}

/// A place in a file, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FilePosition {
    pub(super) file: String,
    /// Line and column, from 1.
    pub(super) position: Option<(usize, usize)>,
}

impl fmt::Display for FilePosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        match self.position {
            Some((line, column)) => write!(f, ":{line}:{column}"),
            None => Ok(()),
        }
    }
}

/// One file and its places.
#[derive(Debug)]
pub(super) struct File<'a> {
    pub(super) descriptor: &'a FileDescriptorProto,
    spans: HashMap<&'a [i32], &'a [i32]>,
}

impl<'a> File<'a> {
    fn of(descriptor: &'a FileDescriptorProto) -> Self {
        let info = descriptor.source_code_info.as_ref();
        let locations = info.into_iter().flat_map(|info| &info.location);
        Self {
            descriptor,
            spans: locations
                .map(|location| (&location.path[..], &location.span[..]))
                .collect(),
        }
    }

    /// The place of the item's name, else of the item, else of the innermost
    /// item around it that has one.
    pub(super) fn place(&self, path: &[i32]) -> FilePosition {
        let mut name = path.to_vec();
        name.push(number::NAME);
        let position = std::iter::once(&name[..])
            .chain((1..=path.len()).rev().map(|length| &path[..length]))
            .find_map(|path| {
                let span = self.spans.get(path)?;
                let line = usize::try_from(*span.first()?).ok()?;
                let column = usize::try_from(*span.get(1)?).ok()?;
                Some((line + 1, column + 1))
            });
        FilePosition {
            file: self.descriptor.name().to_owned(),
            position,
        }
    }
}

/// Something with a full name.
#[derive(Debug)]
pub(super) struct Item<'a, T> {
    /// The index of its file.
    file: usize,
    pub(super) path: Vec<i32>,
    pub(super) descriptor: &'a T,
}

/// Full names have a leading dot.
#[derive(Debug)]
pub(super) struct Index<'a> {
    resolved: &'a ResolvedSet,
    pub(super) files: Vec<File<'a>>,
    pub(super) messages: BTreeMap<String, Item<'a, DescriptorProto>>,
    pub(super) enums: BTreeMap<String, Item<'a, EnumDescriptorProto>>,
    pub(super) services: BTreeMap<String, Item<'a, ServiceDescriptorProto>>,
}

impl<'a> Index<'a> {
    pub(super) fn of(resolved: &'a ResolvedSet) -> Self {
        let mut index = Self {
            resolved,
            files: Vec::new(),
            messages: BTreeMap::new(),
            enums: BTreeMap::new(),
            services: BTreeMap::new(),
        };
        for (number, file) in resolved.set.file.iter().enumerate() {
            index.files.push(File::of(file));
            index.file(number, file);
        }
        index
    }

    pub(super) fn file_of<T>(&self, item: &Item<'a, T>) -> &File<'a> {
        &self.files[item.file]
    }

    pub(super) fn is_closed(&self, enumeration: &str) -> bool {
        self.resolved.closed_enums.contains(enumeration)
    }

    fn file(&mut self, file: usize, descriptor: &'a FileDescriptorProto) {
        let scope = match descriptor.package() {
            "" => String::new(),
            package => format!(".{package}"),
        };
        for (index, message) in descriptor.message_type.iter().enumerate() {
            self.message(
                file,
                &scope,
                &child(&[], number::FILE_MESSAGE, index),
                message,
            );
        }
        for (index, item) in descriptor.enum_type.iter().enumerate() {
            self.enumeration(file, &scope, &child(&[], number::FILE_ENUM, index), item);
        }
        for (index, service) in descriptor.service.iter().enumerate() {
            let item = Item {
                file,
                path: child(&[], number::FILE_SERVICE, index),
                descriptor: service,
            };
            self.services
                .insert(format!("{scope}.{}", service.name()), item);
        }
    }

    fn message(&mut self, file: usize, scope: &str, path: &[i32], message: &'a DescriptorProto) {
        let name = format!("{scope}.{}", message.name());
        for (index, nested) in message.nested_type.iter().enumerate() {
            self.message(
                file,
                &name,
                &child(path, number::MESSAGE_NESTED, index),
                nested,
            );
        }
        for (index, item) in message.enum_type.iter().enumerate() {
            self.enumeration(file, &name, &child(path, number::MESSAGE_ENUM, index), item);
        }
        let item = Item {
            file,
            path: path.to_vec(),
            descriptor: message,
        };
        self.messages.insert(name, item);
    }

    fn enumeration(
        &mut self,
        file: usize,
        scope: &str,
        path: &[i32],
        item: &'a EnumDescriptorProto,
    ) {
        let name = format!("{scope}.{}", item.name());
        let item = Item {
            file,
            path: path.to_vec(),
            descriptor: item,
        };
        self.enums.insert(name, item);
    }
}

/// `path` with one more item on it.
pub(super) fn child(path: &[i32], field: i32, index: usize) -> Vec<i32> {
    let mut longer = path.to_vec();
    longer.push(field);
    longer.push(i32::try_from(index).unwrap_or(i32::MAX));
    longer
}
