//! Generates Rust for the services and messages of `.proto` files, over
//! `grpc-runtime`.
//!
//! This is a pure function from descriptors to text: it reads no files, runs no
//! processes and looks at no environment. The binary `protoc-gen-rust-grpc`
//! makes it a plugin of protoc, the crate `grpc-build` calls it from `build.rs`;
//! both hand over protoc's own `CodeGeneratorRequest`, and both get the same
//! bytes.
//!
//! For each package one file, named like the package (`a.b.rs`; `_.rs` for
//! none), that is meant to be `include!`d into the module of that package.
//! [`OPTIONS`] says what can be chosen.

mod accessors;
mod comments;
mod descriptors;
mod editions;
mod emit;
mod error;
mod groups;
mod locations;
mod messages;
mod model;
mod names;
mod options;
mod paths;
pub mod plugin;
mod request;
mod scope;

use std::collections::HashMap;

pub use error::Error;
pub use options::{OPTIONS, OptionSpec, Options};
pub use request::Request;

use emit::Package;
use paths::Paths;

/// This generator's version, which generated files name.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A file to write, relative to the output directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GeneratedFile {
    /// The plain file name.
    pub name: String,
    /// What goes into it.
    pub text: String,
}

/// Generates the packages of all files asked for, in the order of their names.
///
/// The request's own parameter is not looked at: that is for [`plugin`].
/// Fails on what cannot be generated, with the place in the `.proto` file.
pub fn generate(request: &Request, options: &Options) -> Result<Vec<GeneratedFile>, Error> {
    descriptors::check(request)?;
    let packages = request.packages();
    scope::check_packages(&packages)?;

    let paths = Paths::new(&options.extern_paths);
    // Before prost-build sees a message: it panics on some names that collide.
    let mut scopes = HashMap::new();
    for package in packages.keys() {
        let scope = scope::of_package(request, &packages, package, &paths, options.messages)?;
        scopes.insert(*package, scope);
    }
    let mut messages = if options.messages {
        messages::generate(request, &paths)?
    } else {
        HashMap::new()
    };

    let mut files = Vec::new();
    for (package, sources) in &packages {
        let mut scope = scopes.remove(package).unwrap_or_default();
        let mut generated = Package::default();
        for file in sources {
            generated.sources.push(file.name());
            generated
                .messages
                .extend(messages.remove(file.name()).unwrap_or_default());
            if options.client || options.server {
                let services = model::services(file, &mut scope, &paths)?;
                generated.services.extend(services);
            }
        }
        // What the user has elsewhere needs no empty file beside it.
        if generated.is_empty() && paths.has_package(package) {
            continue;
        }
        files.push((*package, generated.emit(package, options)?));
    }

    let tree = options.include_file.as_ref().map(|name| {
        let packages: Vec<&str> = files.iter().map(|(package, _)| *package).collect();
        emit::tree(name, &packages)
    });
    let mut files: Vec<GeneratedFile> = files.into_iter().map(|(_, file)| file).collect();
    if let Some(tree) = tree {
        let tree = tree?;
        if let Some(other) = files.iter().find(|file| file.name == tree.name) {
            return Err(Error::new(format!(
                "option `include_file`: `{}` is the name of a package's file already",
                other.name
            )));
        }
        files.push(tree);
    }
    Ok(files)
}
