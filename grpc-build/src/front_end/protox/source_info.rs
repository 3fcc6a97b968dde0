//! The source info that protox gives, made what protoc gives: comments as protoc
//! attaches them, and columns for which a tab reaches to the next multiple of eight.

use std::collections::{HashMap, HashSet};

use prost::Message;
use prost::encoding::{
    DecodeContext, WireType, decode_key, decode_varint, encode_key, encode_varint, skip_field,
};
use prost_types::SourceCodeInfo;

use super::comments::{Declaration, declarations};
use crate::error::Error;
use crate::request::{broken, files, name, put_file};

/// `FileDescriptorProto.source_code_info`
const SOURCE_CODE_INFO: u32 = 9;

/// How far a tab reaches.
const TAB: usize = 8;

/// The encoded set with the source info of each file that `text` gives the text
/// of as protoc would write it.
pub(super) fn as_protoc_writes(
    descriptors: &[u8],
    text: impl Fn(&str) -> Option<String>,
) -> Result<Vec<u8>, Error> {
    let mut set = Vec::with_capacity(descriptors.len());
    for file in files(descriptors)? {
        match text(&name(file)?) {
            Some(text) => put_file(&corrected_file(file, &text)?, &mut set),
            None => put_file(file, &mut set),
        }
    }
    Ok(set)
}

fn corrected_file(file: &[u8], text: &str) -> Result<Vec<u8>, Error> {
    let mut out = Vec::with_capacity(file.len());
    let mut rest = file;
    while !rest.is_empty() {
        let start = rest;
        let (field, wire_type) = decode_key(&mut rest).map_err(|_| broken())?;
        if (field, wire_type) == (SOURCE_CODE_INFO, WireType::LengthDelimited) {
            let length = decode_varint(&mut rest).map_err(|_| broken())?;
            let length = usize::try_from(length).map_err(|_| broken())?;
            let (info, after) = rest.split_at_checked(length).ok_or_else(broken)?;
            let mut info = SourceCodeInfo::decode(info).map_err(|_| broken())?;
            correct(&mut info, text);
            encode_key(field, wire_type, &mut out);
            encode_varint(info.encoded_len() as u64, &mut out);
            info.encode_raw(&mut out);
            rest = after;
        } else {
            skip_field(wire_type, field, &mut rest, DecodeContext::default())
                .map_err(|_| broken())?;
            out.extend_from_slice(&start[..start.len() - rest.len()]);
        }
    }
    Ok(out)
}

fn correct(info: &mut SourceCodeInfo, text: &str) {
    let found = declarations(text);
    let mut found: HashMap<(usize, usize), Declaration> =
        found.into_iter().map(|item| (item.start, item)).collect();
    // A group is a field and a message in one place: the message has the comments.
    let groups: HashSet<Vec<i32>> = info
        .location
        .iter()
        .filter(|location| of_path(&location.path) == Some(Kind::Message))
        .map(|location| start(&location.span).to_vec())
        .collect();
    let lines: Vec<&str> = text.split('\n').collect();
    for location in &mut info.location {
        if let Some(kind) = of_path(&location.path) {
            let is_of_group = kind == Kind::Field && groups.contains(start(&location.span));
            let declaration = place(&location.span)
                .filter(|_| !is_of_group)
                .and_then(|place| found.remove(&place))
                .unwrap_or_default();
            let written = |text: String| Some(text).filter(|text| !text.is_empty());
            location.leading_comments = written(declaration.leading);
            location.trailing_comments = written(declaration.trailing);
            location.leading_detached_comments = declaration.detached;
        }
        with_tabs(&mut location.span, &lines);
    }
}

fn start(span: &[i32]) -> &[i32] {
    span.get(..2).unwrap_or(span)
}

fn place(span: &[i32]) -> Option<(usize, usize)> {
    let number = |index| usize::try_from(*span.get(index)?).ok();
    Some((number(0)?, number(1)?))
}

/// The kind of a location to which protoc attaches comments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Message,
    Field,
    Other,
}

fn of_path(path: &[i32]) -> Option<Kind> {
    match path {
        // Package, syntax, extend, import, service, method.
        [2 | 12 | 7] | [3 | 6, _] | [6, _, 2, _] => Some(Kind::Other),
        [7, _] => Some(Kind::Field),
        [4, _, rest @ ..] => in_message(rest),
        [5, _, rest @ ..] => in_enum(rest),
        _ => None,
    }
}

fn in_message(path: &[i32]) -> Option<Kind> {
    match path {
        [] => Some(Kind::Message),
        [2 | 6, _] => Some(Kind::Field),
        // Ranges of extensions, extend, reserved numbers and names, oneof.
        [5 | 6 | 9 | 10] | [8, _] => Some(Kind::Other),
        [3, _, rest @ ..] => in_message(rest),
        [4, _, rest @ ..] => in_enum(rest),
        _ => None,
    }
}

fn in_enum(path: &[i32]) -> Option<Kind> {
    match path {
        // Itself, a value, reserved numbers and names.
        [] | [2, _] | [4 | 5] => Some(Kind::Other),
        _ => None,
    }
}

/// Columns in bytes → columns as protoc counts.
fn with_tabs(span: &mut [i32], lines: &[&str]) {
    let counted = |line: i32, column: i32| -> Option<i32> {
        let line = lines.get(usize::try_from(line).ok()?)?.as_bytes();
        let before = line.get(..usize::try_from(column).ok()?)?;
        let counted = before.iter().fold(0, |counted, next| match next {
            b'\t' => counted + TAB - counted % TAB,
            _ => counted + 1,
        });
        i32::try_from(counted).ok()
    };
    match span {
        [line, first, last] => {
            *last = counted(*line, *last).unwrap_or(*last);
            *first = counted(*line, *first).unwrap_or(*first);
        }
        [line, first, last_line, last] => {
            *last = counted(*last_line, *last).unwrap_or(*last);
            *first = counted(*line, *first).unwrap_or(*first);
        }
        _ => {}
    }
}
