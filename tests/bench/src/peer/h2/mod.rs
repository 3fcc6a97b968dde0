//! The `h2` crate driven directly, as cheaply as it honestly can be: no gRPC
//! library, just messages with their prefixes, the headers that gRPC asks for,
//! and flow control. No deadlines, no limits, no metadata. What it costs is what
//! a gRPC over `h2` cannot undercut.

mod client;
mod messages;
mod server;

use crate::Error;
use crate::peer::Peer;
use crate::security::Security;

#[derive(Debug)]
pub struct H2;

/// What the other implementations announce too: tonic has 1 MiB for both.
const WINDOW: u32 = 1 << 20;

/// How much of a stream is encoded before it is handed on; tonic does as much.
const BATCH: usize = 32 * 1024;

impl Peer for H2 {
    type Client = client::Client;

    async fn serve(security: Security, ready: impl FnOnce(&str)) -> Result<(), Error> {
        plain(security)?;
        server::serve(ready).await
    }
}

/// There is no TLS here: it would be rustls's, as tonic's and ours are.
fn plain(security: Security) -> Result<(), Error> {
    match security {
        Security::Plain => Ok(()),
        Security::Tls => Err("h2 is measured without TLS".into()),
    }
}
