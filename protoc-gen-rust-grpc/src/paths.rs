//! Proto type → Rust path, from the module of a package. A message's field (resolved by
//! prost-build) and a service's method must use one path for a type, so extern paths are
//! decided here and passed to prost-build type by type.

use std::collections::BTreeMap;

use crate::aside::{self, Moved};
use crate::names;
use crate::options::Options;
use crate::request::Request;

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

/// The types of `google.protobuf` that prost-types has, by the first part of their names.
/// Other files use the package too, and Google's files are newer than prost-types: a type
/// that is not listed is generated like any other.
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
    aside: BTreeMap<String, Moved>,
}

impl<'a> Paths<'a> {
    pub(crate) fn of(request: &Request, options: &'a Options) -> Self {
        let mut paths = Self::new(&options.extern_paths);
        paths.aside = aside::modules(request, |proto| {
            let given = paths.given(proto);
            given.map(|(from, ..)| from.to_owned())
        });
        paths
    }

    fn new(externs: &'a [(String, String)]) -> Self {
        Self {
            externs,
            aside: BTreeMap::new(),
        }
    }

    /// The messages whose modules of nested types are not called after them.
    pub(crate) fn aside(&self) -> &BTreeMap<String, Moved> {
        &self.aside
    }

    /// The module of the items in the package or message of this full name.
    pub(crate) fn module(&self, proto: &str) -> String {
        match self.aside.get(proto) {
            Some(moved) => moved.name.clone(),
            None => names::snake(proto.rsplit('.').next().unwrap_or_default()),
        }
    }

    /// The path of a type, from the module of `package`: relative, as modules
    /// mirror packages, unless the type is external. `proto` is the full name
    /// with its leading dot.
    pub(crate) fn resolve(&self, package: &str, proto: &str) -> String {
        if let Some(path) = self.external(proto) {
            return path;
        }
        let here = package.split('.').filter(|part| !part.is_empty());
        let here: Vec<&str> = here.collect();
        let mut there: Vec<&str> = proto.split('.').filter(|part| !part.is_empty()).collect();
        let name = there.pop().unwrap_or_default();
        let shared = here.iter().zip(&there);
        let shared = shared.take_while(|(here, there)| here == there).count();
        let module = |end: usize| self.module(&format!(".{}", there[..end].join(".")));
        std::iter::repeat_n("super".to_owned(), here.len() - shared)
            .chain((shared + 1..=there.len()).map(module))
            .chain([names::camel(name)])
            .collect::<Vec<_>>()
            .join("::")
    }

    /// The path of a type that is not generated. The longest path given by the
    /// user wins; any of them wins over the built-in ones.
    pub(crate) fn external(&self, proto: &str) -> Option<String> {
        self.given(proto)
            .or_else(|| longest(PLAIN.iter().copied(), proto))
            .or_else(|| well_known(proto))
            .map(|(from, to, rest)| self.extend(from, to, rest))
    }

    /// The user's extern path that covers the name: its two sides, and the rest of the name.
    fn given<'p>(&'p self, proto: &'p str) -> Option<Extern<'p>> {
        let given = self.externs.iter();
        longest(given.map(|(from, to)| (from.as_str(), to.as_str())), proto)
    }

    /// Whether types of the package are found elsewhere, all or the usual ones.
    pub(crate) fn has_package(&self, package: &str) -> bool {
        let package = format!(".{package}");
        package == WELL_KNOWN
            || package.strip_prefix(WELL_KNOWN) == Some(".compiler")
            || self.external(&package).is_some()
    }

    /// Whether all types of the package come from prost-types: no extern path of the user
    /// covers it.
    pub(crate) fn is_ready_made(&self, package: &str) -> bool {
        let package = format!(".{package}");
        self.has_package(&package[1..]) && self.given(&package).is_none()
    }

    /// Appends `.Outer.Inner` to the Rust path of `from`, as `outer::Inner`. Below a
    /// message (`::pb::Outer`) stands the module of its nested types (`::pb::outer`).
    fn extend(&self, from: &str, path: &str, rest: &str) -> String {
        let Some((above, name)) = rest.rsplit_once('.') else {
            return path.to_owned();
        };
        let (before, last) = path.rsplit_once("::").unwrap_or_default();
        let module = match self.aside.get(from) {
            Some(moved) => format!("{before}::{}", moved.name),
            None if last.starts_with(char::is_uppercase) => {
                format!("{before}::{}", names::snake(last))
            }
            None => path.to_owned(),
        };
        let ends = above.match_indices('.').map(|(at, _)| at).skip(1);
        let ends = ends.chain((!above.is_empty()).then_some(above.len()));
        [module]
            .into_iter()
            .chain(ends.map(|end| self.module(&format!("{from}{}", &above[..end]))))
            .chain([names::camel(name)])
            .collect::<Vec<_>>()
            .join("::")
    }
}

/// An extern path that covers a name: its `.proto` side, its Rust side, and the rest of the
/// name.
type Extern<'p> = (&'p str, &'p str, &'p str);

fn well_known(proto: &str) -> Option<Extern<'_>> {
    let rest = proto.strip_prefix(WELL_KNOWN)?;
    let name = rest.strip_prefix('.')?;
    let is_there = IN_PROST_TYPES.iter().any(|known| {
        name.strip_prefix(known)
            .is_some_and(|below| below.is_empty() || below.starts_with('.'))
    });
    is_there.then_some((WELL_KNOWN, PROST_TYPES, rest))
}

fn longest<'p>(
    table: impl Iterator<Item = (&'p str, &'p str)>,
    proto: &'p str,
) -> Option<Extern<'p>> {
    table
        .filter_map(|(from, to)| {
            let rest = proto.strip_prefix(from)?;
            (rest.is_empty() || rest.starts_with('.')).then_some((from, to, rest))
        })
        .max_by_key(|(from, ..)| from.len())
}

#[cfg(test)]
mod tests;
