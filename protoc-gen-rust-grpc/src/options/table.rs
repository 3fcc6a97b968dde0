//! Every option, with the words that describe it: the one table behind the
//! plugin's parameter, the methods of `grpc_build::Config`, the error for an
//! unknown name and the page `OPTIONS.md`.

use std::fmt::Write as _;

use super::rules::Target;
use super::{Options, values};

/// One line of the table: an option's name, the form of its value, what it
/// does, and how it is applied.
#[derive(Debug)]
#[non_exhaustive]
pub struct OptionSpec {
    /// The name, as it stands before the first `=`.
    pub name: &'static str,
    /// The form of the value, for people to read.
    pub value: &'static str,
    /// What the option does, and its default.
    pub help: &'static str,
    /// A value that fits.
    pub example: &'static str,
    /// Whether the option may be given more than once.
    pub repeats: bool,
    /// `None` if the value applies to everything; else the kind of items that its path
    /// selects, and whether a value follows after `path=`.
    pub(super) rule: Option<(Target, bool)>,
    pub(super) apply: fn(&mut Options, &str) -> Result<(), String>,
}

const fn one(
    name: &'static str,
    value: &'static str,
    example: &'static str,
    help: &'static str,
    apply: fn(&mut Options, &str) -> Result<(), String>,
) -> OptionSpec {
    OptionSpec {
        name,
        value,
        help,
        example,
        repeats: false,
        rule: None,
        apply,
    }
}

/// An option of the form `name=.path`, or `name=.path=value`.
const fn rule(
    name: &'static str,
    value: &'static str,
    example: &'static str,
    help: &'static str,
    target: Target,
    valued: bool,
) -> OptionSpec {
    OptionSpec {
        name,
        value,
        help,
        example,
        repeats: true,
        rule: Some((target, valued)),
        apply: |_, _| Ok(()),
    }
}

const ATTRIBUTE: &str = ".path=#[attribute]";

/// Every option there is. `protoc` takes them as
/// `--rust-grpc_opt=name=value,name=value`, `grpc_build::Config` has a method
/// of each name.
pub const OPTIONS: &[OptionSpec] = &[
    one(
        "client",
        "true|false",
        "false",
        "Generate a stub for each service. Default: true.",
        |options, value| values::boolean(value).map(|yes| options.client = yes),
    ),
    one(
        "server",
        "true|false",
        "false",
        "Generate a servicer trait and a server for each service. Default: true.",
        |options, value| values::boolean(value).map(|yes| options.server = yes),
    ),
    one(
        "messages",
        "true|false",
        "false",
        "Generate messages and enums. With false only services are generated; their messages \
         are those that another generator put into the same modules, or that `extern_path` \
         names. Default: true.",
        |options, value| values::boolean(value).map(|yes| options.messages = yes),
    ),
    one(
        "client_cfg",
        "predicate",
        "feature = \"client\"",
        "Put `#[cfg(predicate)]` on stubs, so that they are compiled only where it holds. \
         Default: always compiled.",
        |options, value| values::predicate(value).map(|it| options.client_cfg = Some(it)),
    ),
    one(
        "server_cfg",
        "predicate",
        "feature = \"server\"",
        "Put `#[cfg(predicate)]` on servicer traits and servers, so that they are compiled only \
         where it holds. Default: always compiled.",
        |options, value| values::predicate(value).map(|it| options.server_cfg = Some(it)),
    ),
    OptionSpec {
        name: "extern_path",
        value: ".proto.path=::rust::path",
        help: "Use Rust types that exist already for a package or a type, and generate none for \
               it. They must be prost messages that derive what the generated ones would \
               (`Copy`, `Eq`, `Hash`). Of several paths that fit, the longest holds. Default: \
               those of `google.protobuf` are prost's.",
        example: ".acme.types=::acme_types::pb",
        repeats: true,
        rule: None,
        apply: Options::add_extern_path,
    },
    one(
        "include_file",
        "name.rs",
        "mod.rs",
        "Also generate a file of this name with a module for each package, which includes the \
         package's file. Default: no such file.",
        |options, value| values::file_name(value).map(|it| options.include_file = Some(it)),
    ),
    one(
        "default_package_filename",
        "name",
        "root",
        "Name the file for `.proto` files without a package; the name is without `.rs`. \
         Default: `_`.",
        |options, value| values::file_stem(value).map(|it| options.default_package = it),
    ),
    one(
        "file_descriptor_set",
        "true|false",
        "true",
        "Add a constant `FILE_DESCRIPTOR_SET` to each package's file: the encoded descriptors \
         of the package and of all it imports, as server reflection needs them. `grpc_build` \
         can write them to a file too (`Config::file_descriptor_set_path`). The descriptors of \
         `google/protobuf/descriptor.proto`, `type.proto`, `api.proto` and \
         `compiler/plugin.proto` differ between versions of protoc: if you import them and \
         check the code in, always generate with the same version. Default: false.",
        |options, value| values::boolean(value).map(|yes| options.file_descriptor_set = yes),
    ),
    one(
        "require_methods",
        "true|false",
        "true",
        "Give the methods of servicer traits no default: a method that a servicer leaves out, \
         such as a new `rpc`, is an error of the Rust compiler. Default: false, the method \
         answers UNIMPLEMENTED.",
        |options, value| values::boolean(value).map(|yes| options.require_methods = yes),
    ),
    rule(
        "type_attribute",
        ATTRIBUTE,
        ".acme=#[derive(serde::Serialize, serde::Deserialize)]",
        "Put the attributes on messages, enums and oneofs.",
        Target::Types,
        true,
    ),
    rule(
        "message_attribute",
        ATTRIBUTE,
        ".acme.Order=#[must_use]",
        "Put the attributes on messages.",
        Target::Messages,
        true,
    ),
    rule(
        "enum_attribute",
        ATTRIBUTE,
        ".acme.Color=#[non_exhaustive]",
        "Put the attributes on enums and oneofs.",
        Target::Enums,
        true,
    ),
    rule(
        "field_attribute",
        ATTRIBUTE,
        ".acme.Order.note=#[serde(default)]",
        "Put the attributes on fields, oneofs and enum values.",
        Target::Fields,
        true,
    ),
    rule(
        "stub_attribute",
        ATTRIBUTE,
        ".acme.Shop=#[doc(alias = \"ShopClient\")]",
        "Put the attributes on the stubs of services.",
        Target::Stubs,
        true,
    ),
    rule(
        "servicer_attribute",
        ATTRIBUTE,
        ".acme.Shop=#[diagnostic::on_unimplemented(note = \"see the guide\")]",
        "Put the attributes on the servicer traits of services.",
        Target::Servers,
        true,
    ),
    rule(
        "server_attribute",
        ATTRIBUTE,
        ".acme.Shop=#[doc(alias = \"shop\")]",
        "Put the attributes on the servers of services.",
        Target::Servers,
        true,
    ),
    rule(
        "module_attribute",
        ATTRIBUTE,
        ".acme.v1=#[cfg(feature = \"v1\")]",
        "Put the attributes on the modules of packages in the file of `include_file`; it needs \
         that option.",
        Target::Packages,
        true,
    ),
    rule(
        "bytes",
        ".path",
        ".acme.Blob.data",
        "Make fields of type `bytes` a `prost::bytes::Bytes`, which is cheap to clone and shares \
         the buffer it was received in. Default: `Vec<u8>`.",
        Target::Bytes,
        false,
    ),
    rule(
        "btree_map",
        ".path",
        ".",
        "Make `map` fields a `BTreeMap`, which is ordered. The `Debug` of a message with such a \
         field shows enums as numbers. Default: `HashMap`.",
        Target::Maps,
        false,
    ),
    rule(
        "boxed",
        ".path",
        ".acme.Order.details",
        "Put the message of a field that is not repeated into a `Box`. Default: only where the \
         type would otherwise be infinite, or larger than 256 KiB.",
        Target::MessageFields,
        false,
    ),
    rule(
        "skip_debug",
        ".path",
        ".acme.Secret",
        "Do not derive `Debug` for messages and enums; write the implementation yourself. \
         Default: `Debug` is derived.",
        Target::Types,
        false,
    ),
    rule(
        "disable_comments",
        ".path",
        ".",
        "Do not copy the comments of packages, types, fields, services or methods. Default: \
         comments in the `.proto` become rustdoc.",
        Target::All,
        false,
    ),
    one(
        "retain_enum_prefix",
        "true|false",
        "true",
        "Keep the enum's name in front of its values' names: `Color::ColorRed`. Default: false, \
         `Color::Red`.",
        |options, value| values::boolean(value).map(|yes| options.retain_enum_prefix = yes),
    ),
    one(
        "type_names",
        "true|false",
        "true",
        "Implement `prost::Name` for messages, which packing them into a `prost_types::Any` \
         needs. Default: false.",
        |options, value| values::boolean(value).map(|yes| options.type_names = yes),
    ),
    rule(
        "type_name_domain",
        ".path=domain",
        ".acme=types.acme.example",
        "Set the text before the `/` in the type URLs of messages; it needs `type_names`. \
         Default: `type.googleapis.com`.",
        Target::Messages,
        true,
    ),
];

/// The table as the page `OPTIONS.md` has it.
pub fn options_as_markdown() -> String {
    let mut text = String::from("| option | effect |\n|---|---|\n");
    for spec in OPTIONS {
        let _ = writeln!(
            text,
            "| `{}={}` | {} Example: `{}={}` |",
            spec.name,
            spec.value.replace('|', "\\|"),
            spec.help,
            spec.name,
            spec.example
        );
    }
    text
}
