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

const WELL_KNOWN: &str = ".google.protobuf";
const PROST_TYPES: &str = "::grpc_runtime::prost_types";

/// What prost-types has of `google.protobuf`, by the first part of the name
/// there. Others use the package too, and Google's own files outgrow
/// prost-types: what is not here is generated like any type.
const IN_PROST_TYPES: &[&str] = &[
    "Any",
    "Api",
    "DescriptorProto",
    "Duration",
    "Enum",
    "EnumDescriptorProto",
    "EnumOptions",
    "EnumValue",
    "EnumValueDescriptorProto",
    "EnumValueOptions",
    "ExtensionRangeOptions",
    "Field",
    "FieldDescriptorProto",
    "FieldMask",
    "FieldOptions",
    "FileDescriptorProto",
    "FileDescriptorSet",
    "FileOptions",
    "GeneratedCodeInfo",
    "ListValue",
    "MessageOptions",
    "Method",
    "MethodDescriptorProto",
    "MethodOptions",
    "Mixin",
    "NullValue",
    "OneofDescriptorProto",
    "OneofOptions",
    "Option",
    "ServiceDescriptorProto",
    "ServiceOptions",
    "SourceCodeInfo",
    "SourceContext",
    "Struct",
    "Syntax",
    "Timestamp",
    "Type",
    "UninterpretedOption",
    "Value",
    "compiler.CodeGeneratorRequest",
    "compiler.CodeGeneratorResponse",
    "compiler.Version",
];

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
        longest(given, proto)
            .or_else(|| longest(PLAIN.iter().copied(), proto))
            .or_else(|| well_known(proto))
    }

    /// Whether types of the package are found elsewhere, all or the usual ones.
    pub(crate) fn has_package(&self, package: &str) -> bool {
        let package = format!(".{package}");
        package == WELL_KNOWN
            || package.strip_prefix(WELL_KNOWN) == Some(".compiler")
            || self.external(&package).is_some()
    }
}

fn well_known(proto: &str) -> Option<String> {
    let rest = proto.strip_prefix(WELL_KNOWN)?;
    let name = rest.strip_prefix('.')?;
    let is_there = IN_PROST_TYPES.iter().any(|known| {
        name.strip_prefix(known)
            .is_some_and(|below| below.is_empty() || below.starts_with('.'))
    });
    is_there.then(|| extend(PROST_TYPES, rest))
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
