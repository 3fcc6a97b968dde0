//! [`Config`]: the `.proto` files, the options and the output directory of one run.

mod options;

use std::env;
use std::path::{Path, PathBuf};

use protoc_gen_rust_grpc::{
    GeneratedFile, Options, Request, apart, descriptor_set, generate, not_generated,
};

use crate::breaking;
use crate::error::Error;
use crate::front_end::FrontEnd;
use crate::output;
use crate::report;
use crate::request;
use crate::sources::Sources;
use crate::written;

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
    file_descriptor_set_path: Option<PathBuf>,
}

/// The result of one run.
#[derive(Debug)]
struct Outcome {
    files: Vec<GeneratedFile>,
    /// The encoded descriptors, imports included, where they are asked for.
    descriptors: Option<Vec<u8>>,
    /// Each on one line.
    warnings: Vec<String>,
    /// The files that cargo should watch.
    read: Vec<PathBuf>,
    variables: Vec<&'static str>,
}

impl Config {
    /// Everything for every service, by [`FrontEnd::default`], into `OUT_DIR`.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the front-end that reads the `.proto` files. Default: `FrontEnd::Protox`, or
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

    /// Fails the build if the files break compatibility with `recorded`: if a service,
    /// method, message, field or enum value was removed, or a name, number, type, label,
    /// presence, kind of streaming or the openness of an enum has changed. Files are
    /// compared by meaning: the features of an edition count, and moving from a syntax to an
    /// edition is no change by itself. Default: no comparison.
    ///
    /// `recorded` is what [`Config::record`] has written, or `grpc-build record`.
    #[must_use]
    pub fn breaking_against(mut self, recorded: impl Into<PathBuf>) -> Self {
        self.breaking_against = Some(recorded.into());
        self
    }

    /// Also writes the descriptors of the files, and of all they import, to `file`: an
    /// encoded `FileDescriptorSet` without comments, for other generators of the build
    /// script (`pbjson-build`) and for `prost-reflect`. A relative path is relative to
    /// the current directory, which for build scripts is the package's. Default: none.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let set = std::path::Path::new(&std::env::var("OUT_DIR")?).join("descriptors.bin");
    /// grpc_build::Config::new()
    ///     .file_descriptor_set_path(&set)
    ///     .compile(&["proto/hello.proto"], &["proto"])?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn file_descriptor_set_path(mut self, file: impl Into<PathBuf>) -> Self {
        self.file_descriptor_set_path = Some(file.into());
        self
    }

    /// Generates `protos`, which lie in one of `includes`. Prints
    /// `cargo:rerun-if-changed` for every file read, imports included, and
    /// `cargo:warning` for what may not be meant; where it writes into `OUT_DIR`, also
    /// the `cargo:rustc-env` that `grpc_runtime::include_proto!` finds packages by.
    ///
    /// Fails like [`compile`](crate::compile), on a wrong option, and if it would replace a
    /// file that another call of this process wrote for other `.proto` files: pass all files
    /// of a package to one call.
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
    /// nothing, and gives the warnings back. Fails as that does.
    pub fn generate(
        &self,
        protos: &[impl AsRef<Path>],
        includes: &[impl AsRef<Path>],
    ) -> Result<Vec<String>, Error> {
        let outcome = self.run(&Sources::new(protos, includes)?)?;
        self.write(&outcome)?;
        Ok(outcome.warnings)
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
    /// It ignores files there that this project's generator did not write, and
    /// [`Config::file_descriptor_set_path`].
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
    /// [`Config::breaking_against`] compares with later. Generates nothing. Fails if a file
    /// cannot be read or is not valid, and if `file` cannot be written.
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

    fn write(&self, outcome: &Outcome) -> Result<(), Error> {
        let out_dir = self.directory()?;
        if let (Some(file), Some(set)) = (&self.file_descriptor_set_path, &outcome.descriptors) {
            output::write_if_changed(file, set)?;
        }
        for file in &outcome.files {
            output::write_if_changed(&out_dir.join(&file.name), file.text.as_bytes())?;
        }
        Ok(())
    }

    /// Writes, and gives the lines for cargo.
    fn for_cargo(&self, sources: &Sources) -> Result<Vec<String>, Error> {
        let out_dir = self.directory()?;
        let outcome = self.run(sources)?;
        let mut files: Vec<(PathBuf, &[u8])> = outcome
            .files
            .iter()
            .map(|file| (out_dir.join(&file.name), file.text.as_bytes()))
            .collect();
        if let (Some(file), Some(set)) = (&self.file_descriptor_set_path, &outcome.descriptors) {
            files.push((file.clone(), set));
        }
        written::claim(&files, sources)?;
        self.write(&outcome)?;
        let variables_of_names = if self.is_for_cargo() {
            written::variables(&out_dir)
        } else {
            Vec::new()
        };
        let watched = outcome.read.iter();
        let watched = watched.map(|path| format!("cargo:rerun-if-changed={}", path.display()));
        let variables = outcome.variables.iter();
        let variables = variables.map(|name| format!("cargo:rerun-if-env-changed={name}"));
        let warnings = outcome.warnings.iter();
        let warnings = warnings.map(|text| format!("cargo:warning={text}"));
        let lines = watched.chain(variables).chain(warnings);
        Ok(lines.chain(variables_of_names).collect())
    }

    /// Whether it writes to `OUT_DIR`, where `include_proto!` looks.
    fn is_for_cargo(&self) -> bool {
        let cargos = std::env::var_os("OUT_DIR").map(PathBuf::from);
        self.out_dir
            .as_ref()
            .is_none_or(|own| Some(own) == cargos.as_ref())
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
        if self.is_for_cargo() {
            warnings.extend(apart(&request, &options));
        }
        let wanted = self.file_descriptor_set_path.as_ref();
        let descriptors = wanted.map(|_| descriptor_set(&request)).transpose();
        Ok(Outcome {
            files: generated.files,
            descriptors: descriptors.map_err(told)?,
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
