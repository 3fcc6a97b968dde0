//! Making one byte stream to a target. It must never decide whether or when to
//! try again.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

use super::security::Security;
use super::target::Target;
#[cfg(feature = "tls")]
use crate::call::reset::status_of_handshake;
use crate::status::{Code, Phase, Status};
use crate::transport::io::Io;
#[cfg(feature = "tls")]
use crate::transport::tls;

/// One attempt to connect may take so long (gRPC's minimum connect timeout).
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// Where a channel's byte streams lead.
#[derive(Clone)]
pub(crate) enum Destination {
    Target(Target),
    /// By a function: the in-process transport.
    Function(Arc<dyn Fn() -> Io + Send + Sync>),
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

impl Destination {
    fn name(&self) -> String {
        match self {
            Self::Target(target) => target.to_string(),
            Self::Function(_) => "in-process".to_owned(),
        }
    }
}

/// How a channel gets its byte streams.
#[derive(Clone, Debug)]
pub(crate) struct Dial {
    destination: Destination,
    security: Security,
}

impl Dial {
    pub(crate) fn new(destination: Destination, security: Security) -> Self {
        Self {
            destination,
            security,
        }
    }

    /// What errors and logs call the other side.
    pub(crate) fn name(&self) -> String {
        self.destination.name()
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        self.security.is_encrypted()
    }

    /// Connects to the first address that answers, and secures the connection.
    ///
    /// Errors are `UNAVAILABLE`, with the cause once in the text and as source.
    pub(crate) async fn connect(&self) -> Result<Io, Status> {
        let target = match &self.destination {
            Destination::Function(connect) => return Ok(connect()),
            Destination::Target(target) => target,
        };
        let mut step = ("connect to", Phase::Connect);
        let attempt = async {
            let io = connect(target).await?;
            step = ("TLS with", Phase::Handshake);
            match &self.security {
                Security::Insecure => Ok(io),
                #[cfg(feature = "tls")]
                Security::Tls { config, name } => tls::connect(config, name, io)
                    .await
                    .map_err(|error| status_of_handshake(error, &target.to_string())),
            }
        };
        let connected = tokio::time::timeout(CONNECT_TIMEOUT, attempt).await;
        connected.unwrap_or_else(|_| {
            let (step, phase) = step;
            let text = format!("{step} {target}: no answer within 20 s");
            Err(Status::new(Code::Unavailable, text).with_phase(phase))
        })
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
