//! A method for each option of the generator. They store values by option name; the
//! generator's table checks them.
//!
//! Paths are full names in the `.proto` files with a dot in front: `.acme.Order`
//! covers the message, its fields and what is nested in it, `.acme` the package,
//! `.` everything.

use super::Config;

impl Config {
    /// Any option of the plugin by its name: [`protoc_gen_rust_grpc::OPTIONS`]
    /// lists them.
    #[must_use]
    pub fn option(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.options.push((name.into(), value.into()));
        self
    }

    fn rule(self, name: &str, path: &str, value: &str) -> Self {
        self.option(name, format!("{path}={value}"))
    }

    /// Whether to generate stubs. Default: true.
    #[must_use]
    pub fn client(self, yes: bool) -> Self {
        self.option("client", yes.to_string())
    }

    /// Whether to generate servicer traits and servers. Default: true.
    #[must_use]
    pub fn server(self, yes: bool) -> Self {
        self.option("server", yes.to_string())
    }

    /// Whether to generate messages and enums. With false, services are
    /// generated over messages that another generator put into the same
    /// modules. Default: true.
    #[must_use]
    pub fn messages(self, yes: bool) -> Self {
        self.option("messages", yes.to_string())
    }

    /// Compiles stubs only where this holds, as in `#[cfg(predicate)]`:
    /// `.client_cfg("feature = \"client\"")`. Default: always.
    #[must_use]
    pub fn client_cfg(self, predicate: &str) -> Self {
        self.option("client_cfg", predicate)
    }

    /// Compiles servicer traits and servers only where this holds, as in
    /// `#[cfg(predicate)]`: `.server_cfg("feature = \"server\"")`. Default:
    /// always.
    #[must_use]
    pub fn server_cfg(self, predicate: &str) -> Self {
        self.option("server_cfg", predicate)
    }

    /// Uses types that exist already for a package or a type, and generates
    /// none: `.extern_path(".acme.types", "::acme_types::pb")`.
    ///
    /// The Rust path begins with `::`, `crate` or a crate's name. The types must
    /// be prost messages that derive what generated ones would (`Copy`, `Eq`,
    /// `Hash`). May be called for several paths; the longest that fits is used.
    #[must_use]
    pub fn extern_path(self, proto: &str, rust: &str) -> Self {
        self.rule("extern_path", proto, rust)
    }

    /// Also writes a file of this name with the tree of modules that holds all
    /// packages generated. Default: none.
    #[must_use]
    pub fn include_file(self, name: impl Into<String>) -> Self {
        self.option("include_file", name)
    }

    /// The name, without `.rs`, of the file for items without a package. Default: `_`.
    #[must_use]
    pub fn default_package_filename(self, name: impl Into<String>) -> Self {
        self.option("default_package_filename", name)
    }

    /// Whether each package's file gets a constant `FILE_DESCRIPTOR_SET`: its descriptors
    /// and those of all imports, for server reflection. Default: false.
    #[must_use]
    pub fn file_descriptor_set(self, yes: bool) -> Self {
        self.option("file_descriptor_set", yes.to_string())
    }

    /// Whether a servicer must implement every method. With true a missing method, for
    /// example a new `rpc` of the service, is a compile error. Default: false: a missing
    /// method answers UNIMPLEMENTED.
    #[must_use]
    pub fn require_methods(self, yes: bool) -> Self {
        self.option("require_methods", yes.to_string())
    }

    /// Puts attributes on messages, enums and oneofs, above the generated ones:
    /// `.type_attribute(".acme", "#[derive(serde::Serialize)]")`.
    #[must_use]
    pub fn type_attribute(self, path: &str, attribute: &str) -> Self {
        self.rule("type_attribute", path, attribute)
    }

    /// Puts attributes on messages.
    #[must_use]
    pub fn message_attribute(self, path: &str, attribute: &str) -> Self {
        self.rule("message_attribute", path, attribute)
    }

    /// Puts attributes on enums and oneofs.
    #[must_use]
    pub fn enum_attribute(self, path: &str, attribute: &str) -> Self {
        self.rule("enum_attribute", path, attribute)
    }

    /// Puts attributes on fields, oneofs and enum values.
    #[must_use]
    pub fn field_attribute(self, path: &str, attribute: &str) -> Self {
        self.rule("field_attribute", path, attribute)
    }

    /// Puts attributes on the stubs of services.
    #[must_use]
    pub fn stub_attribute(self, path: &str, attribute: &str) -> Self {
        self.rule("stub_attribute", path, attribute)
    }

    /// Puts attributes on the servicer traits of services.
    #[must_use]
    pub fn servicer_attribute(self, path: &str, attribute: &str) -> Self {
        self.rule("servicer_attribute", path, attribute)
    }

    /// Puts attributes on the servers of services.
    #[must_use]
    pub fn server_attribute(self, path: &str, attribute: &str) -> Self {
        self.rule("server_attribute", path, attribute)
    }

    /// Puts attributes on the modules of packages in the include file: needs
    /// [`Config::include_file`].
    #[must_use]
    pub fn module_attribute(self, path: &str, attribute: &str) -> Self {
        self.rule("module_attribute", path, attribute)
    }

    /// Makes fields of type `bytes` a `prost::bytes::Bytes`, which is cheap to
    /// clone and shares the buffer it was received in. Default: `Vec<u8>`.
    #[must_use]
    pub fn bytes(self, path: &str) -> Self {
        self.option("bytes", path)
    }

    /// Makes `map` fields a `BTreeMap`, which is ordered. Default: `HashMap`.
    #[must_use]
    pub fn btree_map(self, path: &str) -> Self {
        self.option("btree_map", path)
    }

    /// Puts single messages in fields into a `Box`. Default: only where the type
    /// would be infinite without.
    #[must_use]
    pub fn boxed(self, path: &str) -> Self {
        self.option("boxed", path)
    }

    /// Leaves out the `Debug` of messages and enums, so that you can write it.
    #[must_use]
    pub fn skip_debug(self, path: &str) -> Self {
        self.option("skip_debug", path)
    }

    /// Leaves out the comments of packages, types, fields, services or methods. Default:
    /// comments become rustdoc.
    #[must_use]
    pub fn disable_comments(self, path: &str) -> Self {
        self.option("disable_comments", path)
    }

    /// Whether to keep the enum's name in front of its values' names
    /// (`Color::ColorRed`). Default: false, `Color::Red`.
    #[must_use]
    pub fn retain_enum_prefix(self, yes: bool) -> Self {
        self.option("retain_enum_prefix", yes.to_string())
    }

    /// Whether to implement `prost::Name` for messages, which
    /// `prost_types::Any` needs. Default: false.
    #[must_use]
    pub fn type_names(self, yes: bool) -> Self {
        self.option("type_names", yes.to_string())
    }

    /// The part before the `/` in type URLs: needs [`Config::type_names`]. Default:
    /// `type.googleapis.com`.
    #[must_use]
    pub fn type_name_domain(self, path: &str, domain: &str) -> Self {
        self.rule("type_name_domain", path, domain)
    }
}
