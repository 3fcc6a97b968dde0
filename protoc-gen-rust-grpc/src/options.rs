//! The options, as one table for the plugin's parameter and for `grpc-build`.
//! An option must never be accepted and then ignored: what the table does not
//! name, and what is given twice, is an error.

use std::collections::BTreeSet;

use crate::error::Error;

/// One line of the table: an option's name, the form of its value, what it
/// does, and how it is applied.
#[derive(Debug)]
#[non_exhaustive]
pub struct OptionSpec {
    /// The name, as it stands before the first `=`.
    pub name: &'static str,
    /// The form of the value, for people to read.
    pub value: &'static str,
    /// What the option does, and what holds without it.
    pub help: &'static str,
    /// Whether the option may be given more than once.
    pub repeats: bool,
    apply: fn(&mut Options, &str) -> Result<(), String>,
}

/// Every option there is. `protoc` takes them as
/// `--rust-grpc_opt=name=value,name=value`, `grpc_build::Config` has a method
/// of each name.
pub const OPTIONS: &[OptionSpec] = &[
    OptionSpec {
        name: "client",
        value: "true|false",
        help: "generate a stub for each service (default: true)",
        repeats: false,
        apply: |options, value| {
            options.client = parse_bool(value)?;
            Ok(())
        },
    },
    OptionSpec {
        name: "server",
        value: "true|false",
        help: "generate a servicer trait and a server for each service (default: true)",
        repeats: false,
        apply: |options, value| {
            options.server = parse_bool(value)?;
            Ok(())
        },
    },
    OptionSpec {
        name: "messages",
        value: "true|false",
        help: "generate messages and enums; with false, services only, over messages that \
               another generator put into the same modules, or that extern_path names \
               (default: true)",
        repeats: false,
        apply: |options, value| {
            options.messages = parse_bool(value)?;
            Ok(())
        },
    },
    OptionSpec {
        name: "extern_path",
        value: ".proto.path=::rust::path",
        help: "use types that exist already for a package or a type, and generate none; they \
               must be prost messages that derive what the generated ones would (Copy, Eq, \
               Hash); may be repeated",
        repeats: true,
        apply: Options::add_extern_path,
    },
    OptionSpec {
        name: "include_file",
        value: "mod.rs",
        help: "also generate a file of this name with the tree of modules that holds all \
               packages (default: none)",
        repeats: false,
        apply: |options, value| {
            options.include_file = Some(parse_file_name(value)?);
            Ok(())
        },
    },
];

/// What to generate.
#[derive(Clone, Debug)]
pub struct Options {
    pub(crate) client: bool,
    pub(crate) server: bool,
    pub(crate) messages: bool,
    /// Proto path (with its leading dot) and Rust path, in the order given.
    pub(crate) extern_paths: Vec<(String, String)>,
    pub(crate) include_file: Option<String>,
    given: BTreeSet<&'static str>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            client: true,
            server: true,
            messages: true,
            extern_paths: Vec::new(),
            include_file: None,
            given: BTreeSet::new(),
        }
    }
}

impl Options {
    /// Reads protoc's `name=value,name=value`. A value may hold `=`, not `,`.
    pub fn parse(parameter: &str) -> Result<Self, Error> {
        let mut options = Self::default();
        for part in parameter.split(',').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            options.set(name, value)?;
        }
        Ok(options)
    }

    /// Sets one option of [`OPTIONS`].
    ///
    /// Fails on a name the table lacks, on a value that does not fit, and on a
    /// second value for an option that takes one.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), Error> {
        let name = name.trim();
        let Some(spec) = OPTIONS.iter().find(|spec| spec.name == name) else {
            return Err(unknown(name));
        };
        let wrong = |why: &str| {
            Error::new(format!(
                "option `{name}`: {why}; it is written `{name}={}`",
                spec.value
            ))
        };
        if !self.given.insert(spec.name) && !spec.repeats {
            return Err(wrong("given more than once"));
        }
        let value = value.trim();
        if value.is_empty() {
            return Err(wrong("it needs a value"));
        }
        (spec.apply)(self, value).map_err(|why| wrong(&why))
    }

    fn add_extern_path(&mut self, value: &str) -> Result<(), String> {
        let (proto, rust) = value
            .split_once('=')
            .ok_or_else(|| format!("`{value}` has no `=` between the two paths"))?;
        let segments = proto.strip_prefix('.').ok_or_else(|| {
            format!("the proto path `{proto}` must be full, with a dot in front: `.{proto}`")
        })?;
        if !segments.split('.').all(is_proto_identifier) {
            return Err(format!("`{proto}` is not a proto path"));
        }
        check_rust_path(rust)?;
        if self.extern_paths.iter().any(|(known, _)| known == proto) {
            return Err(format!("`{proto}` is given twice"));
        }
        self.extern_paths.push((proto.to_owned(), rust.to_owned()));
        Ok(())
    }
}

fn unknown(name: &str) -> Error {
    use std::fmt::Write as _;

    let mut message = format!("unknown option `{name}`; the options are:");
    for spec in OPTIONS {
        let _ = write!(
            message,
            "\n  {}={}: {}",
            spec.name,
            spec.value,
            one_line(spec.help)
        );
    }
    Error::new(message)
}

/// The table's help is broken over source lines.
fn one_line(help: &str) -> String {
    help.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn parse_bool(value: &str) -> Result<bool, String> {
    value
        .parse()
        .map_err(|_| format!("`{value}` is neither true nor false"))
}

/// The file goes beside the packages' files, whose names it includes: a path
/// with directories would break both.
fn parse_file_name(value: &str) -> Result<String, String> {
    if value.contains(['/', '\\']) || value.strip_suffix(".rs").is_none_or(str::is_empty) {
        return Err(format!("`{value}` is not the plain name of a .rs file"));
    }
    Ok(value.to_owned())
}

/// A path that means the same in every module: generated code stands in
/// modules of several depths, so `self` and `super` would not.
fn check_rust_path(path: &str) -> Result<(), String> {
    let fits = match syn::parse_str::<syn::Type>(path) {
        Ok(syn::Type::Path(parsed)) => parsed
            .path
            .segments
            .first()
            .is_some_and(|first| first.ident != "self" && first.ident != "super"),
        Ok(syn::Type::Tuple(tuple)) => tuple.elems.is_empty(),
        _ => false,
    };
    if fits {
        Ok(())
    } else {
        Err(format!(
            "`{path}` is not a Rust path that begins with `::`, `crate` or a crate's name"
        ))
    }
}

/// What the proto grammar calls `ident`.
pub(crate) fn is_proto_identifier(name: &str) -> bool {
    let mut characters = name.chars();
    characters
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && characters.all(|next| next.is_ascii_alphanumeric() || next == '_')
}

#[cfg(test)]
mod tests;
