//! Proto type → Rust path, from the module of a package. What prost-build
//! resolves for a message's field and what a service's method names must be one
//! path, so externs are decided here and handed to prost-build type by type.

use crate::names;

/// Types of `google.protobuf` that stand for plain Rust values.
const PLAIN: &[(&str, &str)] = &[
    (".google.protobuf.BoolValue", "bool"),
    (
        ".google.protobuf.BytesValue",
        "::grpc_runtime::prost::alloc::vec::Vec<u8>",
    ),
    (".google.protobuf.DoubleValue", "f64"),
    (".google.protobuf.Empty", "()"),
    (".google.protobuf.FloatValue", "f32"),
    (".google.protobuf.Int32Value", "i32"),
    (".google.protobuf.Int64Value", "i64"),
    (
        ".google.protobuf.StringValue",
        "::grpc_runtime::prost::alloc::string::String",
    ),
    (".google.protobuf.UInt32Value", "u32"),
    (".google.protobuf.UInt64Value", "u64"),
];

/// Where prost itself is found: generated code needs no crate but the runtime.
pub(crate) const PROST: &str = "::grpc_runtime::prost";

const WELL_KNOWN: &[(&str, &str)] = &[(".google.protobuf", "::grpc_runtime::prost_types")];

/// The types that exist already, outside of the generated code.
#[derive(Debug)]
pub(crate) struct Paths<'a> {
    externs: &'a [(String, String)],
}

impl<'a> Paths<'a> {
    pub(crate) fn new(externs: &'a [(String, String)]) -> Self {
        Self { externs }
    }

    /// The path of a type, from the module of `package`: relative, as modules
    /// mirror packages, unless the type is external. `proto` is the full name
    /// with its leading dot.
    pub(crate) fn resolve(&self, package: &str, proto: &str) -> String {
        if let Some(path) = self.external(proto) {
            return path;
        }
        let mut here = package
            .split('.')
            .filter(|part| !part.is_empty())
            .peekable();
        let mut there: Vec<&str> = proto.split('.').filter(|part| !part.is_empty()).collect();
        let name = there.pop().unwrap_or_default();
        let mut there = there.into_iter().peekable();
        while here.peek().is_some() && here.peek() == there.peek() {
            here.next();
            there.next();
        }
        here.map(|_| "super".to_owned())
            .chain(there.map(names::snake))
            .chain([names::camel(name)])
            .collect::<Vec<_>>()
            .join("::")
    }

    /// The path of a type that is not generated. The longest path given by the
    /// user wins; any of them wins over the built-in ones.
    pub(crate) fn external(&self, proto: &str) -> Option<String> {
        let given = self
            .externs
            .iter()
            .map(|(from, to)| (from.as_str(), to.as_str()));
        let built_in = PLAIN.iter().chain(WELL_KNOWN).copied();
        longest(given, proto).or_else(|| longest(built_in, proto))
    }
}

fn longest<'p>(table: impl Iterator<Item = (&'p str, &'p str)>, proto: &str) -> Option<String> {
    table
        .filter_map(|(from, to)| {
            let rest = proto.strip_prefix(from)?;
            (rest.is_empty() || rest.starts_with('.')).then_some((from.len(), to, rest))
        })
        .max_by_key(|(length, ..)| *length)
        .map(|(_, to, rest)| extend(to, rest))
}

/// Appends `.Outer.Inner` to a Rust path, as `outer::Inner`. Below a message
/// (`::pb::Outer`) stands the module of its nested types (`::pb::outer`).
fn extend(path: &str, rest: &str) -> String {
    let mut parts: Vec<&str> = rest.split('.').filter(|part| !part.is_empty()).collect();
    let Some(name) = parts.pop() else {
        return path.to_owned();
    };
    let (before, last) = path.rsplit_once("::").unwrap_or_default();
    let module = if last.starts_with(char::is_uppercase) {
        format!("{before}::{}", names::snake(last))
    } else {
        path.to_owned()
    };
    [module]
        .into_iter()
        .chain(parts.into_iter().map(names::snake))
        .chain([names::camel(name)])
        .collect::<Vec<_>>()
        .join("::")
}

#[cfg(test)]
mod tests;
