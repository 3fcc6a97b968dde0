//! Generates the measured service for each implementation; no protoc is needed.

use std::error::Error;
use std::path::PathBuf;

const PROTO: &str = "proto/bench.proto";
const INCLUDE: &str = "proto";

fn main() -> Result<(), Box<dyn Error>> {
    grpc_build::compile(&[PROTO], &[INCLUDE])?;

    let peer = PathBuf::from(std::env::var("OUT_DIR")?).join("tonic");
    std::fs::create_dir_all(&peer)?;
    let files = protox::compile([PROTO], [INCLUDE])?;
    tonic_prost_build::configure()
        .out_dir(peer)
        .compile_fds(files)?;
    Ok(())
}
