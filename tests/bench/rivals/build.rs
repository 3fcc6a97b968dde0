//! Generates the measured service for each implementation; no protoc is needed.

use std::error::Error;
use std::path::PathBuf;

const PROTO: &str = "../proto/bench.proto";
const INCLUDE: &str = "../proto";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed={PROTO}");
    let out = PathBuf::from(std::env::var("OUT_DIR")?);

    let descriptors = out.join("bench.bin");
    let compiled = protox::Compiler::new([INCLUDE])?
        .include_imports(true)
        .open_file("bench.proto")?
        .encode_file_descriptor_set();
    std::fs::write(&descriptors, compiled)?;
    connectrpc_build::Config::new()
        .files(&["bench.proto"])
        .descriptor_set(descriptors)
        .include_file("connect.rs")
        .compile()?;

    volo_build::Builder::protobuf()
        .add_service(PROTO)
        .include_dirs(vec![INCLUDE.into()])
        .filename("volo_gen.rs".into())
        .write()?;
    Ok(())
}
