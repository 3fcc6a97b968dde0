//! Descriptors for the users of generated code, in one encoding whichever
//! compiler they come from: fields in the order of their numbers, no source
//! info. Bytes are moved, never decoded into types, so that custom options and
//! what newer editions bring pass through. (A compiler brings some files of
//! `google/protobuf` itself: where `descriptor.proto` and the like are imported,
//! the set has them in that compiler's version.)

use std::collections::{BTreeMap, BTreeSet};

use prost::encoding::{self, WireType, decode_key, decode_varint, encode_key, encode_varint};

use crate::error::Error;
use crate::request::Request;

/// `FileDescriptorSet.file`
const SET_FILE: u32 = 1;
/// `CodeGeneratorRequest.proto_file`, which has the same type.
const REQUEST_FILE: u32 = 15;
const SOURCE_CODE_INFO: u32 = 9;
/// `FieldDescriptorProto.type`, two of its values, and `.default_value`.
const FIELD_TYPE: u32 = 5;
const DOUBLE: u8 = 1;
const FLOAT: u8 = 2;
const FIELD_DEFAULT: u32 = 7;

/// The messages of `descriptor.proto` whose fields are put in order.
#[derive(Clone, Copy, Debug)]
enum DescriptorKind {
    File,
    Message,
    Field,
    Oneof,
    Enum,
    EnumValue,
    Service,
    Method,
    ExtensionRange,
    Options,
}

impl DescriptorKind {
    /// The kind of message in a field of this one, if it is to be sorted too.
    fn below(self, field: u32) -> Option<Self> {
        Some(match (self, field) {
            (Self::File, 4) | (Self::Message, 3) => Self::Message,
            (Self::File, 5) | (Self::Message, 4) => Self::Enum,
            (Self::File, 6) => Self::Service,
            (Self::File, 7) | (Self::Message, 2 | 6) => Self::Field,
            (Self::Message, 5) => Self::ExtensionRange,
            (Self::Message, 8) => Self::Oneof,
            (Self::Enum, 2) => Self::EnumValue,
            (Self::Service, 2) => Self::Method,
            (Self::File | Self::Field, 8)
            | (Self::Message, 7)
            | (Self::Oneof, 2)
            | (Self::Enum | Self::EnumValue | Self::Service | Self::ExtensionRange, 3)
            | (Self::Method, 4) => Self::Options,
            _ => return None,
        })
    }
}

/// The bytes of each file in an encoded `CodeGeneratorRequest`.
pub(crate) fn files(request: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
    let fields = fields(request)?.into_iter();
    Ok(fields
        .filter(|field| field.number == REQUEST_FILE)
        .map(|field| field.content.to_vec())
        .collect())
}

/// An encoded `FileDescriptorSet` of the named files and all their imports, each after its
/// imports: this order is the same for every front-end.
pub(crate) fn closure(request: &Request, names: &[&str]) -> Result<Vec<u8>, Error> {
    let by_name: BTreeMap<&str, _> = request
        .encoded()
        .map(|(file, bytes)| (file.name(), (file, bytes)))
        .collect();
    let mut set = Vec::new();
    let mut seen = BTreeSet::new();
    // Not a recursive function: imports may go as deep as they like.
    let mut open: Vec<(&str, bool)> = names.iter().rev().map(|name| (*name, false)).collect();
    while let Some((name, imports_done)) = open.pop() {
        let Some((file, bytes)) = by_name.get(name) else {
            return Err(Error::in_file(
                name,
                "imported, but not among the files described",
            ));
        };
        if imports_done {
            let file = in_order(DescriptorKind::File, bytes)?;
            encode_key(SET_FILE, WireType::LengthDelimited, &mut set);
            encode_varint(file.len() as u64, &mut set);
            set.extend_from_slice(&file);
        } else if seen.insert(name) {
            open.push((name, true));
            open.extend(
                file.dependency
                    .iter()
                    .rev()
                    .map(|import| (import.as_str(), false)),
            );
        }
    }
    Ok(set)
}

fn in_order(kind: DescriptorKind, bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let mut fields = fields(bytes)?;
    // Stable: the elements of a repeated field keep their order.
    fields.sort_by_key(|field| field.number);
    let default = match kind {
        DescriptorKind::Field => float_default(&fields),
        _ => None,
    };
    let mut out = Vec::with_capacity(bytes.len());
    for field in fields {
        if let (FIELD_DEFAULT, Some(default)) = (field.number, &default) {
            encoding::string::encode(FIELD_DEFAULT, default, &mut out);
            continue;
        }
        if matches!(kind, DescriptorKind::File) && field.number == SOURCE_CODE_INFO {
            continue;
        }
        match kind.below(field.number) {
            Some(below) if field.delimited => {
                let content = in_order(below, field.content)?;
                encode_key(field.number, WireType::LengthDelimited, &mut out);
                encode_varint(content.len() as u64, &mut out);
                out.extend_from_slice(&content);
            }
            _ => out.extend_from_slice(field.whole),
        }
    }
    Ok(out)
}

/// The default of a field that is a float or a double. Compilers write one
/// number in several ways: `-9e+09`, `-9000000000`.
fn float_default(fields: &[EncodedField<'_>]) -> Option<String> {
    let content = |number| {
        let field = fields.iter().find(|field| field.number == number)?;
        std::str::from_utf8(field.content).ok()
    };
    let text = content(FIELD_DEFAULT)?;
    match content(FIELD_TYPE)?.as_bytes() {
        [FLOAT] => text.parse::<f32>().ok().map(|value| format!("{value:?}")),
        [DOUBLE] => text.parse::<f64>().ok().map(|value| format!("{value:?}")),
        _ => None,
    }
    // Theirs, not Rust's `NaN`.
    .map(|text| text.to_lowercase())
}

/// One field as it is encoded.
struct EncodedField<'a> {
    number: u32,
    delimited: bool,
    /// With its key.
    whole: &'a [u8],
    /// Without key and length.
    content: &'a [u8],
}

fn fields(bytes: &[u8]) -> Result<Vec<EncodedField<'_>>, Error> {
    let broken = || Error::new("the descriptors are not encoded as protobuf messages are");
    let mut fields = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let start = rest;
        let (number, wire_type) = decode_key(&mut rest).map_err(|_| broken())?;
        let length = match wire_type {
            WireType::Varint => {
                let mut after = rest;
                decode_varint(&mut after).map_err(|_| broken())?;
                rest.len() - after.len()
            }
            WireType::SixtyFourBit => 8,
            WireType::ThirtyTwoBit => 4,
            WireType::LengthDelimited => {
                let length = decode_varint(&mut rest).map_err(|_| broken())?;
                usize::try_from(length).map_err(|_| broken())?
            }
            // descriptor.proto has no groups, and custom options that are
            // groups have never had a syntax to set them.
            WireType::StartGroup | WireType::EndGroup => return Err(broken()),
        };
        let (content, after) = rest.split_at_checked(length).ok_or_else(broken)?;
        rest = after;
        fields.push(EncodedField {
            number,
            delimited: wire_type == WireType::LengthDelimited,
            whole: &start[..start.len() - rest.len()],
            content,
        });
    }
    Ok(fields)
}

#[cfg(test)]
mod tests;
