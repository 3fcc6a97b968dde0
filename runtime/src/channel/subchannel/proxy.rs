//! HTTP proxies: a tunnel to a channel's target by CONNECT (RFC 9110 section 9.3.6).

use std::fmt;
use std::io;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::channel::error::ChannelError;

/// The most bytes of a proxy's answer before the tunnel begins.
const HEAD_MAX: usize = 8 << 10;

/// The port of a proxy that does not name one.
const DEFAULT_PORT: u16 = 80;

/// A proxy, and the credentials for it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Proxy {
    host: String,
    port: u16,
    /// The value of `Proxy-Authorization`.
    authorization: Option<String>,
}

impl Proxy {
    /// Parses `http://[user[:password]@]host[:port]`; the scheme is optional.
    pub(crate) fn parse(url: &str) -> Result<Self, ChannelError> {
        let bad = |reason| ChannelError::Proxy {
            // Leaves out the password.
            url: url
                .rsplit_once('@')
                .map_or(url, |(_, host)| host)
                .to_owned(),
            reason,
        };
        let rest = match url.split_once("://") {
            Some(("http", rest)) => rest,
            Some(_) => return Err(bad("the scheme of a proxy has to be 'http'")),
            None => url,
        };
        let rest = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (user, place) = match rest.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, rest),
        };
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => {
                let port = port.parse();
                (
                    host,
                    port.map_err(|_| bad("the port is not a number from 0 to 65535"))?,
                )
            }
            _ => (place, DEFAULT_PORT),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err(bad("the host is missing"));
        }
        let authorization = user.map(|user| {
            let mut decoded: Vec<u8> = percent_decode_str(user).collect();
            if !user.contains(':') {
                decoded.push(b':');
            }
            format!("Basic {}", STANDARD.encode(decoded))
        });
        Ok(Self {
            host: host.to_owned(),
            port,
            authorization,
        })
    }

    /// The proxy that the environment names for `host`, if any: `grpc_proxy`,
    /// `https_proxy`, `HTTPS_PROXY` or `http_proxy`, unless `no_grpc_proxy`, `no_proxy` or
    /// `NO_PROXY` contain the host.
    pub(crate) fn of_environment(
        host: &str,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, ChannelError> {
        let first = |names: &[&str]| {
            let mut values = names.iter().filter_map(|name| variable(name));
            values.find(|value| !value.is_empty())
        };
        let Some(url) = first(&["grpc_proxy", "https_proxy", "HTTPS_PROXY", "http_proxy"]) else {
            return Ok(None);
        };
        let except = first(&["no_grpc_proxy", "no_proxy", "NO_PROXY"]).unwrap_or_default();
        if except.split(',').any(|entry| covers(entry.trim(), host)) {
            return Ok(None);
        }
        Self::parse(&url).map(Some)
    }

    /// Opens a tunnel to `target`, which is `host:port`.
    pub(super) async fn connect(&self, target: &str) -> io::Result<TcpStream> {
        let context = |error: io::Error| {
            let text = format!("through the proxy {self}: {error}");
            io::Error::new(error.kind(), text)
        };
        self.tunnel(target).await.map_err(context)
    }

    async fn tunnel(&self, target: &str) -> io::Result<TcpStream> {
        // The target becomes part of a header and may come from a resolver.
        if !target.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("'{}' is not 'host:port'", target.escape_debug()),
            ));
        }
        let mut stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        let _ = stream.set_nodelay(true);
        let authorization = match &self.authorization {
            Some(authorization) => format!("Proxy-Authorization: {authorization}\r\n"),
            None => String::new(),
        };
        let request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{authorization}\r\n");
        stream.write_all(request.as_bytes()).await?;
        let head = read_head(&mut stream).await?;
        let line = head.lines().next().unwrap_or_default();
        let mut words = line.split(' ');
        let is_http = words.next().is_some_and(|word| word.starts_with("HTTP/1."));
        let code = words.next().and_then(|code| code.parse::<u16>().ok());
        match code {
            Some(200..=299) if is_http => Ok(stream),
            _ => Err(io::Error::new(
                io::ErrorKind::ConnectionRefused,
                format!(
                    "it answered CONNECT {target} with '{}'",
                    line.escape_debug()
                ),
            )),
        }
    }
}

/// Reads up to the empty line and no further: the bytes after it are the server's.
async fn read_head(stream: &mut TcpStream) -> io::Result<String> {
    const END: &[u8] = b"\r\n\r\n";
    let mut head = Vec::new();
    let mut piece = vec![0; HEAD_MAX];
    loop {
        let seen = stream.peek(&mut piece).await?;
        if seen == 0 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "it closed the connection before it answered",
            ));
        }
        // The end may span two pieces.
        let before = head.len();
        head.extend_from_slice(&piece[..seen]);
        let from = before.saturating_sub(END.len());
        let end = head[from..].windows(END.len()).position(|it| it == END);
        let length = end.map_or(head.len(), |end| from + end + END.len());
        head.truncate(length);
        stream.read_exact(&mut piece[..length - before]).await?;
        if end.is_some() {
            return Ok(String::from_utf8_lossy(&head).into_owned());
        }
        if head.len() >= HEAD_MAX {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "its answer has no end within 8 KiB",
            ));
        }
    }
}

/// Whether an entry of `no_proxy` contains the host: `*`, a name with its subdomains, an
/// address, or a network such as `10.0.0.0/8`.
fn covers(entry: &str, host: &str) -> bool {
    if entry == "*" {
        return true;
    }
    if let Ok(ip) = host.parse::<IpAddr>() {
        return match entry.split_once('/') {
            Some((network, bits)) => match (network.parse(), bits.parse()) {
                (Ok(network), Ok(bits)) => is_within(ip, network, bits),
                _ => false,
            },
            None => entry.parse() == Ok(ip),
        };
    }
    let name = entry.trim_start_matches("*.").trim_start_matches('.');
    let (host, name) = (host.to_ascii_lowercase(), name.to_ascii_lowercase());
    !name.is_empty()
        && host
            .strip_suffix(&name)
            .is_some_and(|above| above.is_empty() || above.ends_with('.'))
}

fn is_within(ip: IpAddr, network: IpAddr, bits: u32) -> bool {
    let (a, b, width) = match (ip, network) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (u128::from(a.to_bits()), u128::from(b.to_bits()), 32),
        (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits(), b.to_bits(), 128),
        _ => return false,
    };
    let shift: u32 = width - bits.min(width);
    let prefix = |address: u128| address.checked_shr(shift).unwrap_or(0);
    prefix(a) == prefix(b)
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            return write!(f, "[{}]:{}", self.host, self.port);
        }
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

#[cfg(test)]
mod tests;
