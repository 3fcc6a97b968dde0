//! What to generate, from what, and where to. Options of the generator are
//! kept as the plugin gets them, by name: the generator's own table is the only
//! one that knows them.

use std::env;
use std::path::{Path, PathBuf};

use protoc_gen_rust_grpc::{Options, Request, generate};

use crate::error::Error;
use crate::front_end::FrontEnd;
use crate::output;
use crate::report;
use crate::request;
use crate::sources::Sources;

/// Builds with options.
///
/// ```no_run
/// # fn main() -> Result<(), grpc_build::Error> {
/// grpc_build::Config::new()
///     .server(false)
///     .extern_path(".acme.types", "::acme_types::pb")
///     .compile(&["proto/hello.proto"], &["proto"])
/// # }
/// ```
///
/// A wrong value is reported by [`Config::compile`].
#[derive(Clone, Debug, Default)]
pub struct Config {
    options: Vec<(String, String)>,
    front_end: FrontEnd,
    out_dir: Option<PathBuf>,
}

impl Config {
    /// Everything for every service, by [`FrontEnd::Protox`], into `OUT_DIR`.
    pub fn new() -> Self {
        Self::default()
    }

    /// Any option of the plugin by its name: [`protoc_gen_rust_grpc::OPTIONS`]
    /// lists them.
    #[must_use]
    pub fn option(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.options.push((name.into(), value.into()));
        self
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

    /// Uses types that exist already for a package or a type, and generates
    /// none: `.extern_path(".acme.types", "::acme_types::pb")`.
    ///
    /// The proto path is full, with a dot in front. The Rust path begins with
    /// `::`, `crate` or a crate's name. The types must be prost messages that
    /// derive what generated ones would (`Copy`, `Eq`, `Hash`). May be called
    /// for several paths; the longest that fits is used.
    #[must_use]
    pub fn extern_path(self, proto: &str, rust: &str) -> Self {
        self.option("extern_path", format!("{proto}={rust}"))
    }

    /// Also writes a file of this name with the tree of modules that holds all
    /// packages generated. Default: none.
    #[must_use]
    pub fn include_file(self, name: impl Into<String>) -> Self {
        self.option("include_file", name)
    }

    /// Who reads the `.proto` files. Default: [`FrontEnd::Protox`].
    #[must_use]
    pub fn front_end(mut self, front_end: FrontEnd) -> Self {
        self.front_end = front_end;
        self
    }

    /// Where generated files go; the directory is made if there is none.
    /// Default: the environment's `OUT_DIR`, which cargo sets for build scripts.
    #[must_use]
    pub fn out_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.out_dir = Some(directory.into());
        self
    }

    /// Generates `protos`, which lie in one of `includes`. Prints
    /// `cargo:rerun-if-changed` for every file read, imports included.
    ///
    /// Fails like [`compile`](crate::compile), and on a wrong option.
    pub fn compile(
        &self,
        protos: &[impl AsRef<Path>],
        includes: &[impl AsRef<Path>],
    ) -> Result<(), Error> {
        let sources = Sources::new(protos, includes)?;
        for line in self.run(&sources)? {
            println!("{line}");
        }
        Ok(())
    }

    /// The lines for cargo.
    fn run(&self, sources: &Sources) -> Result<Vec<String>, Error> {
        let mut options = Options::default();
        for (name, value) in &self.options {
            options
                .set(name, value)
                .map_err(|error| Error::new(error.to_string()))?;
        }
        let out_dir = self.directory()?;

        let read = self.front_end.read(sources)?;
        let request = request::encode(sources.names(), &read.descriptors)?;
        let files = Request::decode(&request)
            .and_then(|request| generate(&request, &options))
            .map_err(|error| report::of_generator(&error, sources))?;
        output::write(&out_dir, &files)?;

        let mut lines: Vec<String> = read
            .files
            .iter()
            .map(|path| format!("cargo:rerun-if-changed={}", path.display()))
            .collect();
        lines.extend(
            read.variables
                .iter()
                .map(|name| format!("cargo:rerun-if-env-changed={name}")),
        );
        Ok(lines)
    }

    fn directory(&self) -> Result<PathBuf, Error> {
        self.out_dir
            .clone()
            .or_else(|| env::var_os("OUT_DIR").map(PathBuf::from))
            .ok_or_else(|| {
                Error::new(
                    "OUT_DIR is not set: call grpc_build from a build script, or say where to \
                     write with Config::out_dir",
                )
            })
    }
}

#[cfg(test)]
mod tests;
