//! End-to-end tests live in `tests/`, scripts against other gRPC
//! implementations in `interop/`, benchmarks in `bench/`. This library holds what
//! the programs in `src/bin` share, and is a test of its own: everything the
//! generator makes of its test files has to compile under the lints that users
//! may have.

pub mod certificates;
pub mod flags;
pub mod load;
pub mod readers;
pub mod security;

/// A file with an edition.
#[deny(warnings, missing_docs, clippy::all, clippy::pedantic)]
pub mod editions {
    grpc_runtime::include_proto!("editions");
}

/// The generator's test files, generated and compiled.
#[deny(
    warnings,
    missing_docs,
    unreachable_pub,
    rust_2018_idioms,
    clippy::all,
    clippy::pedantic
)]
pub mod generated {
    include!(concat!(env!("OUT_DIR"), "/testdata/mod.rs"));
}

/// The sample of the generator's options, with all of them.
#[deny(warnings, missing_docs, clippy::all, clippy::pedantic)]
pub mod options {
    include!(concat!(env!("OUT_DIR"), "/options/mod.rs"));

    // `skip_debug` leaves it to us.
    impl std::fmt::Debug for store::Details {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("details")
        }
    }
}
