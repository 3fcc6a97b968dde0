//! Making one byte stream to a target. It must never decide whether or when to
//! try again.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

use super::target::Target;
use crate::status::{Code, Phase, Status};
use crate::transport::io::Io;

/// One attempt to connect may take so long (gRPC's minimum connect timeout).
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// How a channel gets its byte streams.
#[derive(Clone)]
pub(crate) enum Dial {
    Target(Target),
    /// By a function: the in-process transport.
    Function(Arc<dyn Fn() -> Io + Send + Sync>),
}

impl fmt::Debug for Dial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

impl Dial {
    /// What errors and logs call the other side.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Target(target) => target.to_string(),
            Self::Function(_) => "in-process".to_owned(),
        }
    }

    /// Connects to the first address that answers.
    ///
    /// Errors are `UNAVAILABLE`, with the cause once in the text and as source.
    pub(crate) async fn connect(&self) -> Result<Io, Status> {
        match self {
            Self::Function(connect) => Ok(connect()),
            Self::Target(target) => {
                let connected = tokio::time::timeout(CONNECT_TIMEOUT, connect(target)).await;
                connected.unwrap_or_else(|_| {
                    let text = format!("connect to {target}: no answer within 20 s");
                    Err(Status::new(Code::Unavailable, text).with_phase(Phase::Connect))
                })
            }
        }
    }
}

async fn connect(target: &Target) -> Result<Io, Status> {
    match target {
        Target::Dns { host, port } => connect_tcp(host, *port).await,
        #[cfg(unix)]
        Target::Unix(path) => match UnixStream::connect(path).await {
            Ok(stream) => Ok(Io::Unix(stream)),
            Err(error) => Err(failed(&target.to_string(), error)),
        },
        #[cfg(not(unix))]
        Target::Unix(_) => Err(failed(
            &target.to_string(),
            io::Error::from(io::ErrorKind::Unsupported),
        )),
    }
}

async fn connect_tcp(host: &str, port: u16) -> Result<Io, Status> {
    let addresses = tokio::net::lookup_host((host, port))
        .await
        .map_err(|error| {
            let text = format!("resolve '{host}': {error}");
            Status::new(Code::Unavailable, text)
                .with_phase(Phase::Resolve)
                .with_source(error)
        })?;
    let mut last = None;
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                // Requests are written whole: waiting to fill a segment only
                // delays them. A socket that fails here fails again when read.
                let _ = stream.set_nodelay(true);
                return Ok(Io::Tcp(stream));
            }
            Err(error) => last = Some(failed(&address.to_string(), error)),
        }
    }
    Err(last.unwrap_or_else(|| {
        let text = format!("resolve '{host}': the name has no address");
        Status::new(Code::Unavailable, text).with_phase(Phase::Resolve)
    }))
}

fn failed(address: &str, error: io::Error) -> Status {
    Status::new(Code::Unavailable, format!("connect to {address}: {error}"))
        .with_phase(Phase::Connect)
        .with_source(error)
}
