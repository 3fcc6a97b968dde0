//! What `compatibility.md` says of versions is what the source has.

use std::fs;
use std::path::Path;

use grpc_runtime::codegen::{CONTRACT, OLDEST_CONTRACT};

use crate::harness::output;

fn text(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

#[test]
fn versions_are_those_of_the_source() {
    let manifest = text("../Cargo.toml");
    let value = |name: &str| {
        let mut lines = manifest.lines();
        let line = lines.find(|line| line.starts_with(&format!("{name} = ")));
        line.unwrap().split('"').nth(1).unwrap().to_owned()
    };
    output(
        "versions",
        &format!(
            "the crates              {}\n\
             the oldest rustc        {}\n\
             contract numbers        {OLDEST_CONTRACT} to {CONTRACT}\n\
             prost                   {}",
            value("version"),
            value("rust-version"),
            value("prost"),
        ),
    );
}
