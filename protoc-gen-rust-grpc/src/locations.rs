//! Positions and comments of a file's items. Paths are those of `SourceCodeInfo`: field
//! number, index, field number, index …

use std::collections::HashMap;

use prost_types::FileDescriptorProto;
use prost_types::source_code_info::Location;

use crate::comments;
use crate::error::{Diagnostic, Error};

/// Field numbers in `descriptor.proto` that paths are made of.
pub(crate) mod field {
    pub(crate) const NAME: i32 = 1;
    pub(crate) const FILE_PACKAGE: i32 = 2;
    pub(crate) const FILE_DEPENDENCY: i32 = 3;
    pub(crate) const FILE_MESSAGE: i32 = 4;
    pub(crate) const FILE_ENUM: i32 = 5;
    pub(crate) const FILE_SERVICE: i32 = 6;
    pub(crate) const FILE_EXTENSION: i32 = 7;
    pub(crate) const FILE_SYNTAX: i32 = 12;
    pub(crate) const MESSAGE_FIELD: i32 = 2;
    pub(crate) const MESSAGE_NESTED: i32 = 3;
    pub(crate) const MESSAGE_ENUM: i32 = 4;
    pub(crate) const MESSAGE_EXTENSION: i32 = 6;
    pub(crate) const MESSAGE_ONEOF: i32 = 8;
    pub(crate) const FIELD_TYPE: i32 = 5;
    pub(crate) const FIELD_TYPE_NAME: i32 = 6;
    pub(crate) const ENUM_VALUE: i32 = 2;
    pub(crate) const SERVICE_METHOD: i32 = 2;
}

/// One file's source info, by path.
#[derive(Debug)]
pub(crate) struct Locations<'a> {
    file: &'a str,
    by_path: HashMap<&'a [i32], &'a Location>,
}

impl<'a> Locations<'a> {
    pub(crate) fn of(file: &'a FileDescriptorProto) -> Self {
        let mut by_path = HashMap::new();
        let info = file.source_code_info.as_ref();
        for location in info.into_iter().flat_map(|info| &info.location) {
            by_path.entry(&location.path[..]).or_insert(location);
        }
        Self {
            file: file.name(),
            by_path,
        }
    }

    /// The item's comments, safe for rustdoc; empty if there are none.
    pub(crate) fn docs(&self, path: &[i32]) -> Vec<String> {
        self.by_path.get(path).map_or_else(Vec::new, |location| {
            comments::join(location.leading_comments(), location.trailing_comments())
        })
    }

    /// An error that points at the item's name, else at the item, else at the
    /// innermost item around it that has a place.
    pub(crate) fn error(&self, path: &[i32], message: impl Into<String>) -> Error {
        self.diagnostic(path, message).into()
    }

    /// The same as a [`Diagnostic`], for warnings.
    pub(crate) fn diagnostic(&self, path: &[i32], message: impl Into<String>) -> Diagnostic {
        let mut name = path.to_vec();
        name.push(field::NAME);
        let place = std::iter::once(&name[..])
            .chain((1..=path.len()).rev().map(|length| &path[..length]))
            .find_map(|path| self.position(path));
        match place {
            Some(position) => Diagnostic::at(self.file, position, message),
            None => Diagnostic::in_file(self.file, message),
        }
    }

    /// Line and column, from 1; the descriptors count from 0.
    fn position(&self, path: &[i32]) -> Option<(usize, usize)> {
        let span = &self.by_path.get(path)?.span;
        let line = usize::try_from(*span.first()?).ok()?;
        let column = usize::try_from(*span.get(1)?).ok()?;
        Some((line + 1, column + 1))
    }
}

/// `path` with one more item on it.
pub(crate) fn child(path: &[i32], field: i32, index: usize) -> Vec<i32> {
    let mut longer = Vec::with_capacity(path.len() + 2);
    longer.extend_from_slice(path);
    longer.push(field);
    // A descriptor's lists are far shorter than i32::MAX: protoc's own indices
    // are of this type.
    longer.push(i32::try_from(index).unwrap_or(i32::MAX));
    longer
}
