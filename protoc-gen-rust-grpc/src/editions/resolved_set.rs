//! A descriptor set in which files of every syntax can be compared: the features of editions
//! are rewritten to one common form.

use std::collections::HashSet;

use prost::Message as _;
use prost_types::{DescriptorProto, EnumDescriptorProto, FileDescriptorProto, FileDescriptorSet};

use super::{lower_file, wire};
use crate::error::Error;
use crate::full_names::{file_scope, full_name};

/// The meaning of a descriptor set, independent of the syntax or edition of its files.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ResolvedSet {
    /// Files with editions are the proto3 files that mean the same, as far as a
    /// proto3 file can say it.
    pub set: FileDescriptorSet,
    /// The enums, by full name with a leading dot, that take no number they
    /// have no name for. In Rust there is no difference.
    pub closed_enums: HashSet<String>,
}

impl ResolvedSet {
    /// Reads an encoded `FileDescriptorSet`. An edition that is not known is
    /// read by the rules of the newest that is.
    ///
    /// Fails if the bytes are none.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let broken = |error| Error::new(format!("not a FileDescriptorSet: {error}"));
        let mut resolved = Self {
            set: FileDescriptorSet::decode(bytes).map_err(broken)?,
            closed_enums: HashSet::new(),
        };
        let raw = wire::RawSet::decode(bytes).map_err(broken)?;
        for (file, raw) in resolved.set.file.iter_mut().zip(&raw.files) {
            let closed = closed_by_file(file, raw);
            ClosedEnums {
                closed,
                found: &mut resolved.closed_enums,
            }
            .all(
                &file_scope(file),
                (&file.enum_type, &raw.enums),
                (&file.message_type, &raw.messages),
            );
            if file.syntax() == "editions" {
                lower_file(file, raw);
            }
        }
        Ok(resolved)
    }
}

/// Whether the file's enums are closed, where they do not say it themselves.
fn closed_by_file(file: &FileDescriptorProto, raw: &wire::RawFile) -> bool {
    match file.syntax() {
        "editions" => is_closed(raw.features(), false),
        "proto3" => false,
        _ => true,
    }
}

fn is_closed(features: Option<wire::FeatureSet>, otherwise: bool) -> bool {
    match features.unwrap_or_default().enum_type {
        1 => false,
        2 => true,
        _ => otherwise,
    }
}

struct ClosedEnums<'a> {
    closed: bool,
    found: &'a mut HashSet<String>,
}

impl ClosedEnums<'_> {
    fn all(
        &mut self,
        scope: &str,
        (enums, raw_enums): (&[EnumDescriptorProto], &[wire::RawEnum]),
        (messages, raw_messages): (&[DescriptorProto], &[wire::RawMessage]),
    ) {
        for (item, raw) in enums.iter().zip(raw_enums) {
            let own = raw.options.as_ref().and_then(|options| options.features);
            if is_closed(own, self.closed) {
                self.found.insert(full_name(scope, item.name()));
            }
        }
        for (message, raw) in messages.iter().zip(raw_messages) {
            self.all(
                &full_name(scope, message.name()),
                (&message.enum_type, &raw.enums),
                (&message.nested_type, &raw.nested),
            );
        }
    }
}
