//! A channel's target: gRPC's naming syntax, parsed once. It must never resolve
//! anything.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

/// Where a channel's connections go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// A host name or an IP address, and a port.
    Dns { host: String, port: u16 },
    /// Addresses of one service, in the order in which to try them. There is one
    /// at least.
    Addresses(Vec<SocketAddr>),
    /// A Unix socket.
    Unix(PathBuf),
}

/// The port of a target that names none, as in grpc-go 1.33.3.
const DEFAULT_PORT: u16 = 443;

/// The text is not a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetError {
    target: String,
    reason: &'static str,
}

impl std::fmt::Display for TargetError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "'{}' is not a target: {}; expected 'host:port', 'dns:///host:port', \
             'ipv4:1.2.3.4:port', 'ipv6:[::1]:port', several such addresses with commas between \
             them, or 'unix:/path'",
            self.target, self.reason
        )
    }
}

impl std::error::Error for TargetError {}

impl Target {
    /// Parses `host:port`, `dns:[//authority/]host:port`, `ipv4:…` and `ipv6:…`
    /// with one address or several, `unix:path` and `unix:///path`.
    pub(crate) fn parse(text: &str) -> Result<Self, TargetError> {
        let error = |reason| TargetError {
            target: text.to_owned(),
            reason,
        };
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() {
                return Err(error("the path is empty"));
            }
            return Ok(Self::Unix(path.into()));
        }
        for (scheme, is_v6) in [("ipv4:", false), ("ipv6:", true)] {
            if let Some(list) = text.strip_prefix(scheme) {
                let addresses = list.split(',').map(|one| parse_address(one, is_v6));
                return addresses
                    .collect::<Result<_, _>>()
                    .map(Self::Addresses)
                    .map_err(error);
            }
        }
        for (scheme, reason) in [
            ("http://", "it is a URL: leave out 'http://'"),
            (
                "https://",
                "it is a URL: leave out 'https://', and ask for TLS by ChannelCredentials::tls",
            ),
        ] {
            if text.starts_with(scheme) {
                return Err(error(reason));
            }
        }
        if text
            .split_once("://")
            .is_some_and(|(scheme, _)| scheme != "dns")
        {
            return Err(error("the scheme is not known"));
        }
        let rest = match text.strip_prefix("dns:") {
            Some(rest) => match rest.strip_prefix("//") {
                Some(rest) => match rest.split_once('/') {
                    Some(("", endpoint)) => endpoint,
                    Some(_) => return Err(error("name servers of one's own are not supported")),
                    None => return Err(error("the host is missing")),
                },
                None => rest,
            },
            None => text,
        };
        if rest.contains(',') {
            return Err(error("a list has to begin with 'ipv4:' or 'ipv6:'"));
        }
        let (host, port) = split_port(rest).map_err(error)?;
        if host.is_empty() {
            return Err(error("the host is empty"));
        }
        if host.contains(['/', '@', '?', '#', ' ']) {
            return Err(error("the host has a character that no host has"));
        }
        Ok(Self::Dns {
            host: host.to_owned(),
            port,
        })
    }

    /// What requests name as `:authority` unless the user says otherwise.
    pub(crate) fn authority(&self) -> String {
        match self {
            Self::Dns { host, port } if host.contains(':') => format!("[{host}]:{port}"),
            Self::Dns { host, port } => format!("{host}:{port}"),
            Self::Addresses(addresses) => addresses
                .first()
                .map_or_else(String::new, SocketAddr::to_string),
            Self::Unix(_) => "localhost".to_owned(),
        }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Dns { .. } => f.write_str(&self.authority()),
            Self::Addresses(addresses) => {
                let texts: Vec<_> = addresses.iter().map(SocketAddr::to_string).collect();
                f.write_str(&texts.join(","))
            }
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

fn parse_address(text: &str, is_v6: bool) -> Result<SocketAddr, &'static str> {
    let (host, port) = split_port(text)?;
    match host.parse::<IpAddr>() {
        Ok(ip) if ip.is_ipv6() == is_v6 => Ok(SocketAddr::new(ip, port)),
        _ if is_v6 => Err("an address is not one of IPv6"),
        _ => Err("an address is not one of IPv4"),
    }
}

/// The host of an authority, without its port.
#[cfg(feature = "tls")]
pub(crate) fn host(authority: &str) -> Option<&str> {
    Some(split_port(authority).ok()?.0)
}

/// `host`, `host:port`, `[v6]`, `[v6]:port` or a bare IPv6 address.
fn split_port(text: &str) -> Result<(&str, u16), &'static str> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or("a bracket is not closed")?;
        return match after.strip_prefix(':') {
            Some(port) => Ok((host, parse_port(port)?)),
            None if after.is_empty() => Ok((host, DEFAULT_PORT)),
            None => Err("there is text behind the bracket"),
        };
    }
    match text.split_once(':') {
        None => Ok((text, DEFAULT_PORT)),
        Some((_, rest)) if rest.contains(':') => Ok((text, DEFAULT_PORT)),
        Some((host, port)) => Ok((host, parse_port(port)?)),
    }
}

fn parse_port(text: &str) -> Result<u16, &'static str> {
    text.parse()
        .map_err(|_| "the port is not a number from 0 to 65535")
}

#[cfg(test)]
mod tests;
