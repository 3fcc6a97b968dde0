//! What to generate, from what, and where to.

mod options;

use std::env;
use std::path::{Path, PathBuf};

use protoc_gen_rust_grpc::{GeneratedFile, Options, Request, generate, not_generated};

use crate::breaking;
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
/// A wrong value is reported by [`Config::compile`]; a path that covers nothing
/// is a warning of cargo's.
#[derive(Clone, Debug, Default)]
pub struct Config {
    options: Vec<(String, String)>,
    front_end: FrontEnd,
    out_dir: Option<PathBuf>,
    breaking_against: Option<PathBuf>,
}

/// What one run came to.
#[derive(Debug)]
struct Outcome {
    files: Vec<GeneratedFile>,
    /// Each on one line.
    warnings: Vec<String>,
    /// What cargo should watch.
    read: Vec<PathBuf>,
    variables: Vec<&'static str>,
}

impl Config {
    /// Everything for every service, by [`FrontEnd::default`], into `OUT_DIR`.
    pub fn new() -> Self {
        Self::default()
    }

    /// Who reads the `.proto` files. Default: `FrontEnd::Protox`, or
    /// [`FrontEnd::ProtocFromEnv`] where the feature `protox` is off.
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

    /// Fails the build if the files break what `recorded` promises: if a
    /// service, method, message, field or enum value is gone, or a name, number,
    /// type, label, presence, kind of streaming, or whether an enum is open, is
    /// another. Files are compared by what they mean: the features of an edition
    /// count, and moving from a syntax to an edition is no change by itself.
    /// Default: nothing is compared.
    ///
    /// `recorded` is what [`Config::record`] has written, or `grpc-build record`.
    #[must_use]
    pub fn breaking_against(mut self, recorded: impl Into<PathBuf>) -> Self {
        self.breaking_against = Some(recorded.into());
        self
    }

    /// Generates `protos`, which lie in one of `includes`. Prints
    /// `cargo:rerun-if-changed` for every file read, imports included, and
    /// `cargo:warning` for what may not be meant.
    ///
    /// Fails like [`compile`](crate::compile), and on a wrong option.
    pub fn compile(
        &self,
        protos: &[impl AsRef<Path>],
        includes: &[impl AsRef<Path>],
    ) -> Result<(), Error> {
        let sources = Sources::new(protos, includes)?;
        for line in self.for_cargo(&sources)? {
            println!("{line}");
        }
        Ok(())
    }

    /// Does what [`Config::compile`] does outside of a build script: prints
    /// nothing, and gives the warnings back.
    pub fn generate(
        &self,
        protos: &[impl AsRef<Path>],
        includes: &[impl AsRef<Path>],
    ) -> Result<Vec<String>, Error> {
        Ok(self.write(&Sources::new(protos, includes)?)?.warnings)
    }

    /// Fails unless the output directory holds exactly what [`Config::compile`]
    /// would write there; writes nothing. For generated code that is checked in,
    /// say in a test:
    ///
    /// ```no_run
    /// # fn config() -> grpc_build::Config { grpc_build::Config::new() }
    /// // #[test]
    /// fn generated_code_is_up_to_date() -> Result<(), grpc_build::Error> {
    ///     config().out_dir("src/generated").check(&["proto/hello.proto"], &["proto"])
    /// }
    /// ```
    ///
    /// Files there that no generator of this project wrote do not matter.
    pub fn check(
        &self,
        protos: &[impl AsRef<Path>],
        includes: &[impl AsRef<Path>],
    ) -> Result<(), Error> {
        let out_dir = self.directory()?;
        let outcome = self.run(&Sources::new(protos, includes)?)?;
        output::check(&out_dir, &outcome.files)
    }

    /// Writes the descriptors of `protos` to `file`: what
    /// [`Config::breaking_against`] compares with later. Generates nothing.
    pub fn record(
        &self,
        protos: &[impl AsRef<Path>],
        includes: &[impl AsRef<Path>],
        file: impl AsRef<Path>,
    ) -> Result<(), Error> {
        let sources = Sources::new(protos, includes)?;
        let read = self.front_end.read(&sources)?;
        let set = request::subset(sources.names(), &read.descriptors)?;
        output::write_if_changed(file.as_ref(), &set)
    }

    /// Fails as [`Config::breaking_against`] says; generates nothing.
    pub fn check_breaking(
        &self,
        protos: &[impl AsRef<Path>],
        includes: &[impl AsRef<Path>],
    ) -> Result<(), Error> {
        let sources = Sources::new(protos, includes)?;
        let read = self.front_end.read(&sources)?;
        self.compare(&sources, &read.descriptors)
    }

    fn write(&self, sources: &Sources) -> Result<Outcome, Error> {
        let out_dir = self.directory()?;
        let outcome = self.run(sources)?;
        for file in &outcome.files {
            output::write_if_changed(&out_dir.join(&file.name), file.text.as_bytes())?;
        }
        Ok(outcome)
    }

    /// Writes, and gives the lines for cargo.
    fn for_cargo(&self, sources: &Sources) -> Result<Vec<String>, Error> {
        let outcome = self.write(sources)?;
        let watched = outcome.read.iter();
        let watched = watched.map(|path| format!("cargo:rerun-if-changed={}", path.display()));
        let variables = outcome.variables.iter();
        let variables = variables.map(|name| format!("cargo:rerun-if-env-changed={name}"));
        let warnings = outcome.warnings.iter();
        let warnings = warnings.map(|text| format!("cargo:warning={text}"));
        Ok(watched.chain(variables).chain(warnings).collect())
    }

    fn run(&self, sources: &Sources) -> Result<Outcome, Error> {
        let options = self.parsed()?;
        let mut read = self.front_end.read(sources)?;
        self.compare(sources, &read.descriptors)?;
        read.files.extend(self.breaking_against.clone());

        let request = request::encode(sources.names(), &read.descriptors)?;
        let told = |error: protoc_gen_rust_grpc::Error| {
            Error::of_all(&report::of_generator(error.diagnostics(), sources))
        };
        let request = Request::decode(&request).map_err(told)?;
        let generated = generate(&request, &options).map_err(told)?;
        let mut warnings = generated.warnings;
        warnings.extend(not_generated(&request, &options));
        Ok(Outcome {
            files: generated.files,
            warnings: report::as_lines(&warnings, sources),
            read: read.files,
            variables: read.variables,
        })
    }

    fn parsed(&self) -> Result<Options, Error> {
        let mut options = Options::default();
        let mut mistakes = Vec::new();
        for (name, value) in &self.options {
            if let Err(error) = options.set(name, value) {
                mistakes.push(error.to_string());
            }
        }
        if mistakes.is_empty() {
            Ok(options)
        } else {
            Err(Error::new(mistakes.join("\n")))
        }
    }

    fn compare(&self, sources: &Sources, descriptors: &[u8]) -> Result<(), Error> {
        match &self.breaking_against {
            Some(recorded) => breaking::check(recorded, descriptors, sources),
            None => Ok(()),
        }
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
