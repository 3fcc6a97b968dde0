//! Generates Rust for the services and messages of `.proto` files, over
//! `grpc-runtime`.
//!
//! This is a pure function from descriptors to text: it reads no files, runs no
//! processes and looks at no environment. The binary `protoc-gen-rust-grpc`
//! makes it a plugin of protoc, the crate `grpc-build` calls it from `build.rs`;
//! both hand over protoc's own `CodeGeneratorRequest`, and both get the same
//! bytes.
//!
//! ```
//! use protoc_gen_rust_grpc::{Error, GeneratedFile, Options, Request, generate};
//!
//! /// `request` is what protoc sends to a plugin.
//! fn files(request: &[u8]) -> Result<Vec<GeneratedFile>, Error> {
//!     let request = Request::decode(request)?;
//!     let options = Options::parse(request.parameter())?;
//!     Ok(generate(&request, &options)?.files)
//! }
//! # assert!(files(b"").unwrap().is_empty());
//! # assert!(files(b"\xff").is_err());
//! ```
//!
//! It has no features, and needs no runtime and Rust 1.88 or later. The guide lies in the
//! repository; `examples/guide/README.md` lists its pages.
//!
//! For each package one file, named like the package (`a.b.rs`; `_.rs` for
//! none), that is meant to be `include!`d into the module of that package.
//! [`OPTIONS`] says what can be chosen, and the page `OPTIONS.md` beside this
//! crate's manifest shows what each option changes.

// docs.rs documents what a feature brings as such.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod accessors;
mod aside;
mod boxes;
mod comments;
mod compiler_limits;
mod components;
mod descriptor_set;
mod descriptors;
mod editions;
mod emit;
mod error;
mod fields;
mod full_names;
mod holding;
mod imports;
mod inventory;
mod locations;
mod messages;
mod model;
mod names;
mod oneofs;
mod options;
mod paths;
pub mod plugin;
mod request;
mod scope;

use std::collections::{HashMap, HashSet};

#[doc(hidden)]
pub use editions::ResolvedSet;
pub use error::{Diagnostic, Error};
pub use imports::{apart, not_generated};
#[doc(hidden)]
pub use options::nearest;
pub use options::{OPTIONS, OptionSpec, Options, options_as_markdown};
pub use request::Request;

use emit::Package;
use error::Mistakes;
use holding::Holding;
use inventory::Inventory;
use model::Service;
use paths::Paths;

/// The examples of the page on the package compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// This generator's version, which generated files name.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A file to write, relative to the output directory.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GeneratedFile {
    /// The plain file name.
    pub name: String,
    /// The content of the file.
    pub text: String,
}

/// The output of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Generated {
    /// In the order of the packages' names, the include file last.
    pub files: Vec<GeneratedFile>,
    /// Warnings, which do not stop the build: an option whose path covers nothing, or an
    /// item that got another name because of a collision.
    pub warnings: Vec<Diagnostic>,
}

/// Generates the packages of all files asked for.
///
/// The request's own parameter is not looked at: that is for [`plugin`].
/// Fails on what cannot be generated, with the place of each such thing in the
/// `.proto` files.
pub fn generate(request: &Request, options: &Options) -> Result<Generated, Error> {
    options.check()?;
    descriptors::check(request)?;
    let packages = request.packages();
    let paths = Paths::of(request, options);
    let inventory = Inventory::of(request, options);
    let mut warnings = inventory.warnings(request, options);
    if options.messages {
        warnings.extend(aside::warnings(request, paths.aside(), |name| {
            paths.external(name).is_some()
        }));
    }

    // Before prost-build sees a message: it panics on some names that collide.
    let mut mistakes = Mistakes::default();
    mistakes.note(scope::check_packages(&packages));
    let mut services: HashMap<&str, Vec<Service>> = HashMap::new();
    for (package, files) in &packages {
        let scope = scope::of_package(request, &packages, package, &paths, options);
        let Some(mut scope) = mistakes.note(scope) else {
            continue;
        };
        if !(options.client || options.server) {
            continue;
        }
        for file in files {
            let read = model::services(file, &mut scope, &paths, options);
            if let Some((read, renamed)) = mistakes.note(read) {
                services.entry(package).or_default().extend(read);
                warnings.extend(renamed);
            }
        }
    }
    mistakes.finish()?;

    let mut messages = HashMap::new();
    if options.messages {
        let holding = Holding::of(request.files());
        warnings.extend(oneofs::warnings(request, &holding, |name| {
            paths.external(name).is_some()
        }));
        warnings.extend(compiler_limits::check(request, &holding)?);
        messages = messages::generate(request, &holding, &paths, options, &inventory)?;
    }
    let mut files = Vec::new();
    for (package, sources) in &packages {
        let names: Vec<&str> = sources.iter().map(|file| file.name()).collect();
        let generated = Package {
            messages: names
                .iter()
                .flat_map(|name| messages.remove(*name).unwrap_or_default())
                .collect(),
            services: services.remove(package).unwrap_or_default(),
            descriptors: options
                .file_descriptor_set
                .then(|| descriptor_set::closure(request, &names))
                .transpose()?,
            sources: names,
        };
        // A package whose types the user has elsewhere gets no empty file.
        if generated.is_empty() && paths.has_package(package) {
            warnings.extend(imports::ready_made(sources, &paths));
            continue;
        }
        files.push((*package, generated.emit(package, options)?));
    }

    let tree = options.include_file.as_ref().map(|name| {
        let packages: Vec<&str> = files.iter().map(|(package, _)| *package).collect();
        emit::tree(name, &packages, options)
    });
    let mut files: Vec<GeneratedFile> = files.into_iter().map(|(_, file)| file).collect();
    files.extend(tree.transpose()?);
    check_names(&files, options)?;
    Ok(Generated { files, warnings })
}

/// Returns the encoded `FileDescriptorSet` of the files to generate and all their imports,
/// each after its imports, without comments: the input of other generators and of
/// `prost-reflect`.
///
/// # Errors
/// If the request lacks an imported file, or the bytes of a file cannot be decoded.
pub fn descriptor_set(request: &Request) -> Result<Vec<u8>, Error> {
    let packages = request.packages();
    let files = packages.values().flatten();
    let mut names: Vec<&str> = files.map(|file| file.name()).collect();
    names.sort_unstable();
    descriptor_set::closure(request, &names)
}

/// Fails if a name the user chose is that of a package's file.
fn check_names(files: &[GeneratedFile], options: &Options) -> Result<(), Error> {
    let mut names = HashSet::new();
    let Some(twice) = files.iter().find(|file| !names.insert(&file.name)) else {
        return Ok(());
    };
    let option = match &options.include_file {
        Some(name) if *name == twice.name => "include_file",
        _ => "default_package_filename",
    };
    Err(Error::new(format!(
        "option `{option}`: `{}` is the name of a package's file already",
        twice.name
    )))
}
