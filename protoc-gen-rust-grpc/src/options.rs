//! The generator's options, from the plugin's parameter or `grpc-build`. An unknown option,
//! one that is given twice, and one that has no effect because of another is an error; a
//! path that matches nothing is a warning ([`crate::inventory`]).

mod foreign;
mod nearest;
pub(crate) mod rules;
mod table;
mod values;

use std::collections::BTreeSet;

use crate::error::{Diagnostic, Error, Mistakes};
use crate::names;

pub use nearest::nearest;
pub(crate) use rules::{Rule, Target};
pub use table::{OPTIONS, OptionSpec, options_as_markdown};
pub(crate) use values::is_proto_identifier;

/// The options of one run.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one line of the table"
)]
pub struct Options {
    pub(crate) client: bool,
    pub(crate) server: bool,
    pub(crate) messages: bool,
    pub(crate) client_cfg: Option<String>,
    pub(crate) server_cfg: Option<String>,
    /// Proto path (with its leading dot) and Rust path, in the order given.
    pub(crate) extern_paths: Vec<(String, String)>,
    pub(crate) include_file: Option<String>,
    /// The stem of the file for items without a package.
    pub(crate) default_package: String,
    pub(crate) file_descriptor_set: bool,
    /// Whether servicers write every method.
    pub(crate) require_methods: bool,
    pub(crate) retain_enum_prefix: bool,
    pub(crate) type_names: bool,
    /// In the order given, which is the order of attributes.
    pub(crate) rules: Vec<Rule>,
    given: BTreeSet<&'static str>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            client: true,
            server: true,
            messages: true,
            client_cfg: None,
            server_cfg: None,
            extern_paths: Vec::new(),
            include_file: None,
            default_package: "_".to_owned(),
            file_descriptor_set: false,
            require_methods: false,
            retain_enum_prefix: false,
            type_names: false,
            rules: Vec::new(),
            given: BTreeSet::new(),
        }
    }
}

impl Options {
    /// Reads protoc's `name=value,name=value`. A comma within brackets or
    /// quotes belongs to the value: `type_attribute=.a=#[derive(B, C)]` is one
    /// option.
    ///
    /// Fails with everything that is wrong with any of them.
    pub fn parse(parameter: &str) -> Result<Self, Error> {
        let mut options = Self::default();
        let mut mistakes = Mistakes::default();
        for part in split(parameter).filter(|part| !part.trim().is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            mistakes.note(options.set(name, value));
        }
        mistakes.finish()?;
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
        match spec.rule {
            None => (spec.apply)(self, value),
            Some((target, valued)) => {
                Rule::parse(spec.name, target, valued, value).and_then(|rule| self.add_rule(rule))
            }
        }
        .map_err(|why| wrong(&why))
    }

    /// Fails on options that have no effect beside others.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let mut mistakes = Mistakes::default();
        for (without, needs, value, names) in [
            (!self.client, "client", "true", &["client_cfg"][..]),
            (
                !self.server,
                "server",
                "true",
                &["server_cfg", "require_methods"],
            ),
            (
                !self.messages,
                "messages",
                "true",
                &["retain_enum_prefix", "type_names"],
            ),
            (
                !self.type_names,
                "type_names",
                "true",
                &["type_name_domain"],
            ),
            (
                self.include_file.is_none(),
                "include_file",
                "mod.rs",
                &["module_attribute"],
            ),
        ] {
            for name in names {
                if without && self.given.contains(name) {
                    mistakes.add(Error::new(format!(
                        "option `{name}`: it has no effect without `{needs}={value}`"
                    )));
                }
            }
        }
        mistakes.finish()
    }

    /// The rules of one option.
    pub(crate) fn rules(&self, option: &str) -> impl Iterator<Item = &Rule> {
        self.rules.iter().filter(move |rule| rule.option == option)
    }

    /// A package in file names.
    pub(crate) fn file_stem(&self, package: &str) -> String {
        if package.is_empty() {
            self.default_package.clone()
        } else {
            names::file_stem(package)
        }
    }

    fn add_rule(&mut self, rule: Rule) -> Result<(), String> {
        // Several attributes may stand on one thing; of anything else there is
        // one for a path.
        let twice = self.rules(rule.option).any(|known| {
            known.path == rule.path
                && (known.value == rule.value || !rule.option.ends_with("_attribute"))
        });
        if twice {
            return Err(format!("`{}` is given twice", rule.path));
        }
        self.rules.push(rule);
        Ok(())
    }

    fn add_extern_path(&mut self, value: &str) -> Result<(), String> {
        let (proto, rust) = value
            .split_once('=')
            .ok_or_else(|| format!("`{value}` has no `=` between the two paths"))?;
        values::proto_path(proto)?;
        values::rust_path(rust)?;
        if self.extern_paths.iter().any(|(known, _)| known == proto) {
            return Err(format!("`{proto}` is given twice"));
        }
        self.extern_paths.push((proto.to_owned(), rust.to_owned()));
        Ok(())
    }
}

/// The parts between commas that stand in no brackets and no string.
fn split(parameter: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_usize;
    let mut quoted = false;
    let mut escaped = false;
    parameter.split(move |next: char| {
        if quoted {
            quoted = escaped || next != '"';
            escaped = !escaped && next == '\\';
            return false;
        }
        match next {
            '"' => quoted = true,
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        next == ',' && depth == 0
    })
}

fn unknown(name: &str) -> Error {
    let names: Vec<&str> = OPTIONS.iter().map(|spec| spec.name).collect();
    let near = foreign::hint(name).map_or_else(
        || {
            let near = nearest(name, names.iter().copied());
            near.map(|near| format!("did you mean `{near}`? "))
        },
        |hint| Some(format!("{hint}. ")),
    );
    let near = near.unwrap_or_default();
    Diagnostic::new(format!("unknown option `{name}`"))
        .with_help(format!("{near}The options are: {}", names.join(", ")))
        .into()
}

#[cfg(test)]
mod tests;
