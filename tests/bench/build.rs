//! Generates the hello example for each implementation; no protoc is needed.

use std::error::Error;
use std::path::PathBuf;

const PROTO: &str = "../../examples/proto/hello.proto";
const INCLUDE: &str = "../../examples/proto";

fn main() -> Result<(), Box<dyn Error>> {
    grpc_build::compile(&[PROTO], &[INCLUDE])?;

    let peer = PathBuf::from(std::env::var("OUT_DIR")?).join("tonic");
    std::fs::create_dir_all(&peer)?;
    let files = protox::compile([PROTO], [INCLUDE])?;
    // Only the unary method is measured; the others answer UNIMPLEMENTED.
    tonic_prost_build::configure()
        .generate_default_stubs(true)
        .out_dir(peer)
        .compile_fds(files)?;
    Ok(())
}
