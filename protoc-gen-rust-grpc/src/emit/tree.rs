//! The include file: the modules of all packages, nested as the packages are,
//! which is what the paths between them (`super::…`) count on.

use std::collections::BTreeMap;

use proc_macro2::TokenStream;
use quote::quote;

use super::{docs, ident, layout, lints, parse};
use crate::GeneratedFile;
use crate::error::Error;
use crate::names;
use crate::options::Options;

/// A package's module: whether it has a file, and the modules below.
#[derive(Debug, Default)]
struct Module<'a> {
    package: Option<&'a str>,
    below: BTreeMap<String, Module<'a>>,
}

/// The file `name`, which holds the modules of `packages`.
pub(crate) fn tree(
    name: &str,
    packages: &[&str],
    options: &Options,
) -> Result<GeneratedFile, Error> {
    let mut root = Module::default();
    for package in packages {
        let mut module = &mut root;
        for part in package.split('.').filter(|part| !part.is_empty()) {
            module = module.below.entry(names::snake(part)).or_default();
        }
        module.package = Some(package);
    }
    let items = parse(root.emit(&[], options)?)?;
    let sources = match packages.len() {
        1 => "1 package".to_owned(),
        count => format!("{count} packages"),
    };
    Ok(layout(name.to_owned(), &sources, items))
}

impl Module<'_> {
    fn emit(&self, path: &[&str], options: &Options) -> Result<TokenStream, Error> {
        // Relative to this file, which stands beside them.
        let include = self.package.map(|package| {
            let file = format!("{}.rs", options.file_stem(package));
            quote!(include!(#file);)
        });
        let mut tokens = quote!(#include);
        for (name, module) in &self.below {
            let mut path = path.to_vec();
            path.push(name.strip_prefix("r#").unwrap_or(name));
            let docs = docs(&[], &format!("The package `{}`.", path.join(".")));
            // The lints of everything inside.
            let lints = path.len().eq(&1).then(|| lints(None));
            let given = module.attributes(options)?;
            let name = ident(name);
            let inside = module.emit(&path, options)?;
            tokens.extend(quote!(#docs #lints #given pub mod #name { #inside }));
        }
        Ok(tokens)
    }

    /// Of the rules that cover the package. A module that only holds others'
    /// packages has none: they have them themselves.
    fn attributes(&self, options: &Options) -> Result<TokenStream, Error> {
        let Some(package) = self.package else {
            return Ok(TokenStream::new());
        };
        let package = format!(".{package}");
        let rules = options.rules("module_attribute");
        rules
            .filter(|rule| rule.covers(&package))
            .map(|rule| super::tokens(&rule.value))
            .collect()
    }
}
