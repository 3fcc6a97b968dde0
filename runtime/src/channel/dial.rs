//! Making one connection to a target, at whichever of its addresses that is to be
//! had. It must never decide whether or when to try again.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

use super::failure::{Failure, Step};
use super::greeting::{self, Greeting};
use super::race::race;
use super::security::Security;
use super::target::Target;
use crate::status::{Code, Phase, Status};
use crate::transport::Http2Options;
use crate::transport::driver::Driver;
use crate::transport::io::Io;
#[cfg(feature = "tls")]
use crate::transport::tls;

/// An attempt to connect to an address may take so long unless it is said (gRPC's
/// minimum connect timeout).
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

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
    /// For each address, TLS and HTTP/2 included.
    timeout: Duration,
}

impl Dial {
    pub(crate) fn new(destination: Destination, security: Security, timeout: Duration) -> Self {
        Self {
            destination,
            security,
            timeout,
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
    /// Calls go out with the first bytes of a connection, which saves them a way
    /// there and back. But where another address might do instead, HTTP/2 has to
    /// be agreed on first: what is sent cannot be taken back.
    ///
    /// Errors are `UNAVAILABLE`, with each address's cause once in the text, and
    /// that of the attempt that came furthest as source.
    pub(crate) async fn connect(&self, http2: &Http2Options) -> Result<Driver<Greeting>, Status> {
        let target = match &self.destination {
            Destination::Function(connect) => return Ok(Greeting::over(connect(), http2)),
            Destination::Target(target) => target,
        };
        let endpoints = resolve(target, self.timeout).await?;
        let has_others = endpoints.len() > 1;
        let attempts = endpoints.into_iter().map(async |endpoint| {
            let attempt = self.attempt(&endpoint, http2, has_others);
            attempt
                .await
                .map_err(|failure| (endpoint.to_string(), failure))
        });
        race(attempts)
            .await
            .map_err(|failures| Failure::status(target, failures))
    }

    /// With `greets` it waits until HTTP/2 is agreed on.
    async fn attempt(
        &self,
        endpoint: &Endpoint,
        http2: &Http2Options,
        greets: bool,
    ) -> Result<Driver<Greeting>, Failure> {
        let mut step = Step::Connect;
        let attempt = async {
            let io = endpoint.connect().await.map_err(Failure::connect)?;
            let io = match &self.security {
                Security::Insecure => io,
                #[cfg(feature = "tls")]
                Security::Tls { config, name } => {
                    step = Step::Tls;
                    let secured = tls::connect(config, name, io).await;
                    secured.map_err(Failure::handshake)?
                }
            };
            let driver = Greeting::over(io, http2);
            if !greets {
                return Ok(driver);
            }
            step = Step::Http2;
            greeting::established(driver).await.map_err(Failure::closed)
        };
        let connected = tokio::time::timeout(self.timeout, attempt).await;
        connected.unwrap_or_else(|_| Err(Failure::timeout(step, self.timeout)))
    }
}

/// One place to connect to.
#[derive(Debug)]
enum Endpoint {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl Endpoint {
    async fn connect(&self) -> io::Result<Io> {
        match self {
            Self::Tcp(address) => {
                let stream = TcpStream::connect(address).await?;
                // Requests are written whole: waiting to fill a segment only
                // delays them. A socket that fails here fails again when read.
                let _ = stream.set_nodelay(true);
                Ok(Io::Tcp(stream))
            }
            #[cfg(unix)]
            Self::Unix(path) => UnixStream::connect(path).await.map(Io::Unix),
            #[cfg(not(unix))]
            Self::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

/// Where the target can be reached, in the order in which to try; one place at
/// least.
async fn resolve(target: &Target, timeout: Duration) -> Result<Vec<Endpoint>, Status> {
    let (host, port) = match target {
        Target::Dns { host, port } => (host, *port),
        Target::Addresses(addresses) => {
            return Ok(addresses.iter().copied().map(Endpoint::Tcp).collect());
        }
        Target::Unix(path) => return Ok(vec![Endpoint::Unix(path.clone())]),
    };
    let failed = |reason: String| {
        let text = format!("resolve '{host}': {reason}");
        Status::new(Code::Unavailable, text).with_phase(Phase::Resolve)
    };
    let lookup = tokio::net::lookup_host((host.as_str(), port));
    let found = tokio::time::timeout(timeout, lookup)
        .await
        .map_err(|_| failed(format!("no answer within {timeout:?}")))?
        .map_err(|error| failed(error.to_string()).with_source(error))?;
    let endpoints = interleaved(found.collect());
    if endpoints.is_empty() {
        return Err(failed("the name has no address".to_owned()));
    }
    Ok(endpoints)
}

/// The resolver's order, but with both families by turns: where one of them leads
/// nowhere, the other is not tried last (RFC 8305 section 4).
fn interleaved(addresses: Vec<SocketAddr>) -> Vec<Endpoint> {
    let v6_first = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv6() == v6_first);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let pairs = std::iter::from_fn(|| match (first.next(), second.next()) {
        (None, None) => None,
        pair => Some(pair),
    });
    pairs
        .flat_map(|(a, b)| [a, b])
        .flatten()
        .map(Endpoint::Tcp)
        .collect()
}

#[cfg(test)]
mod tests;
