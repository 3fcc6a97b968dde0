//! The `h2` crate, on which hyper and tonic stand, as the other end: `h2_peer client`
//! is a load client (`grpc_tests::load`) on one connection, `h2_peer server` an
//! interop server. `--window` is how many bytes each stream's window has, and the
//! connection's.

mod client;
mod messages;
mod server;

use std::process::ExitCode;

use grpc_tests::flags::Flags;
use grpc_tests::load::{Failure, Load};

grpc_runtime::include_proto!("grpc.testing");

/// What HTTP/2 begins with.
const WINDOW: u32 = 65_535;

#[tokio::main]
async fn main() -> Result<ExitCode, Failure> {
    let mut arguments = std::env::args().skip(1);
    let role = arguments.next();
    let mut flags = Flags::parse(arguments)?;
    let window = flags.take("window", WINDOW)?;
    match role.as_deref() {
        Some("client") => {
            let port = flags.take("server_port", 8080)?;
            let load = Load::take(&mut flags)?;
            flags.finish()?;
            client::run(port, window, load).await
        }
        Some("server") => {
            let port = flags.take("port", 0)?;
            flags.finish()?;
            server::serve(port, window).await
        }
        _ => Err("usage: h2_peer client|server FLAGS".into()),
    }
}
