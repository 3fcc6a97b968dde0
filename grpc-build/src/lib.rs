//! Compiles `.proto` files in `build.rs`, with no protoc on the machine.
//!
//! ```no_run
//! // build.rs
//! fn main() -> Result<(), grpc_build::Error> {
//!     grpc_build::compile(&["proto/hello.proto"], &["proto"])
//! }
//! ```
//!
//! ```text
//! // src/main.rs
//! grpc_runtime::include_proto!("example");   // the package of hello.proto
//! ```
//!
//! [`Config`] is the same with options.
//!
//! # Who reads the files
//!
//! [`FrontEnd`] says it. The compiler inside this crate reads proto2 and proto3. Files with
//! `edition = "2023"` or `"2024"` need a protoc, installed or of the feature
//! `vendored-protoc`. With `default-features = false` that compiler is not built, which
//! saves a new project a fifth of its crates. The protoc that `PROTOC` names, else the one
//! on the `PATH`, then reads the files.
//!
//! The generated code is byte for byte that of the plugin `protoc-gen-rust-grpc`: this crate
//! reads the files, calls the same generator, and writes the files that have changed.
//!
//! # Features
//!
//! | feature | what it brings | default |
//! |---|---|---|
//! | `protobuf-parse` | `FrontEnd::ProtobufParse`, the parser of rust-protobuf: it drops comments and refuses some valid files | off |
//! | `protox` | `FrontEnd::Protox`, a compiler in Rust | on |
//! | `vendored-protoc` | `FrontEnd::VendoredProtoc`, a protoc as a crate, 94 MB to download | off |
//!
//! # What it needs
//!
//! Rust 1.88 or later, in the build script no runtime, and `grpc-runtime` among the crate's
//! dependencies for the generated code.
//!
//! # The guide
//!
//! It lies in the repository: `examples/guide/README.md` lists its pages, among them those
//! on messages and options and on several packages and crates.

// docs.rs documents what a feature brings as such.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod breaking;
mod config;
mod error;
mod front_end;
mod output;
mod report;
mod request;
mod sources;
mod suggestion;
mod written;

use std::path::Path;

pub use config::Config;
pub use error::Error;
pub use front_end::FrontEnd;

/// The examples of the page on the package compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// Generates clients, servers and messages for `protos` into `OUT_DIR`.
///
/// `includes` are the directories that imports are relative to; each of `protos` lies in one
/// of them. The packages of `protos` are generated, those of their imports are not: add the
/// imports to `protos` too, or name their Rust paths with [`Config::extern_path`]. A
/// `cargo:warning` reports an import whose types are used and for which neither was done.
///
/// Fails if a file cannot be read or is not valid, with the place in it and the line; and if
/// `OUT_DIR` is not set, which cargo sets for build scripts.
pub fn compile(protos: &[impl AsRef<Path>], includes: &[impl AsRef<Path>]) -> Result<(), Error> {
    Config::new().compile(protos, includes)
}
