//! Parses a channel's target, in gRPC's naming syntax.

use std::net::{IpAddr, SocketAddr};

use super::address::Address;
use super::zone;

/// A channel's target, in gRPC's naming syntax: `scheme:[//authority/]path`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    scheme: String,
    authority: String,
    path: String,
    place: Place,
}

/// The target's place, by its scheme.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A host name or an IP address, and a port.
    Dns {
        host: String,
        port: u16,
    },
    /// Addresses of one service, in the order in which they are tried. Not empty.
    Addresses(Vec<SocketAddr>),
    One(Address),
    /// A target of a scheme for the program's own resolver.
    Other,
}

/// The port of a target without one, as in grpc-go 1.33.3.
const DEFAULT_PORT: u16 = 443;

/// The error of a text that is not a target.
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
    /// Parses `host:port`, `dns:[//authority/]host:port`, `ipv4:…` and `ipv6:…` with
    /// one address or several, `unix:path`, `unix:///path`, `unix-abstract:name`,
    /// `passthrough:///text`, and `scheme://authority/path` of any other scheme.
    pub(crate) fn parse(text: &str) -> Result<Self, TargetError> {
        let error = |reason| TargetError {
            target: text.to_owned(),
            reason,
        };
        let scheme = scheme_of(text);
        let rest = scheme.map_or(text, |scheme| &text[scheme.len() + 1..]);
        let scheme = scheme.map(str::to_ascii_lowercase);
        let place = match scheme.as_deref() {
            Some("unix") => unix(rest).map(|path| Place::One(Address::Unix(path.into()))),
            Some("unix-abstract") if rest.is_empty() => Err("the name is empty"),
            Some("unix-abstract") => {
                Ok(Place::One(Address::UnixAbstract(rest.as_bytes().to_vec())))
            }
            Some("ipv4") => parse_addresses(rest, false),
            Some("ipv6") => parse_addresses(rest, true),
            Some("http") => Err("it is a URL: leave out 'http://'"),
            Some("https") => {
                Err("it is a URL: leave out 'https://', and ask for TLS by ChannelCredentials::tls")
            }
            Some("dns") => parse_dns(rest),
            Some("passthrough") => passthrough(rest),
            Some(_) => Ok(Place::Other),
            None => parse_host(text),
        };
        let (authority, path) = match rest.strip_prefix("//").map(|rest| rest.split_once('/')) {
            Some(Some((authority, path))) => (authority, path),
            _ => ("", rest),
        };
        let (authority, path) = (authority.to_owned(), path.to_owned());
        Ok(Self {
            scheme: scheme.unwrap_or_else(|| "dns".to_owned()),
            authority,
            path,
            place: place.map_err(error)?,
        })
    }

    /// The scheme, in lower case; `dns` if the text has none.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// The text between `//` and the next `/`; most often empty.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The text after the authority, without the `/` between them.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The whole target with its scheme, as metrics name it (gRFC A66).
    pub(crate) fn canonical(&self) -> String {
        let Self {
            scheme,
            authority,
            path,
            place,
        } = self;
        match place {
            Place::One(Address::Other(_)) | Place::Dns { .. } | Place::Other => {
                format!("{scheme}://{authority}/{path}")
            }
            Place::Addresses(_) => format!("{scheme}:{self}"),
            Place::One(_) => self.to_string(),
        }
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Whether its addresses have to be resolved.
    pub(crate) fn is_name(&self) -> bool {
        matches!(self.place, Place::Dns { .. } | Place::Other)
    }

    /// The host, if the target is a host and port.
    pub(crate) fn host(&self) -> Option<&str> {
        match &self.place {
            Place::Dns { host, .. } => Some(host),
            Place::Addresses(_) | Place::One(_) | Place::Other => None,
        }
    }

    /// The `:authority` of requests, unless the user sets another.
    pub(crate) fn default_authority(&self) -> String {
        match &self.place {
            Place::Dns { host, port } => joined(host, *port),
            Place::Addresses(addresses) => addresses.first().map_or_else(String::new, |first| {
                SocketAddr::new(first.ip(), first.port()).to_string()
            }),
            Place::One(Address::Other(text)) => encoded(text),
            Place::One(_) => "localhost".to_owned(),
            Place::Other => encoded(&self.path),
        }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.place {
            Place::Dns { host, port } => f.write_str(&joined(host, *port)),
            Place::Addresses(addresses) => {
                let texts: Vec<_> = addresses.iter().map(SocketAddr::to_string).collect();
                f.write_str(&texts.join(","))
            }
            Place::One(address) => address.fmt(f),
            Place::Other => write!(f, "{}://{}/{}", self.scheme, self.authority, self.path),
        }
    }
}

fn joined(host: &str, port: u16) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

/// The text before the colon, if it is a scheme and not a host: gRPC's schemes, and any
/// other that `//` follows.
fn scheme_of(text: &str) -> Option<&str> {
    const KNOWN: [&str; 5] = ["dns", "ipv4", "ipv6", "unix", "unix-abstract"];
    let (scheme, rest) = text.split_once(':')?;
    let is_known = KNOWN.iter().any(|known| scheme.eq_ignore_ascii_case(known));
    let is_scheme = |text: &str| {
        let mut bytes = text.bytes();
        bytes
            .next()
            .is_some_and(|first| first.is_ascii_alphabetic())
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    };
    (is_known || (rest.starts_with("//") && is_scheme(scheme))).then_some(scheme)
}

fn unix(rest: &str) -> Result<&str, &'static str> {
    let path = rest.strip_prefix("//").unwrap_or(rest);
    if path.is_empty() {
        return Err("the path is empty");
    }
    Ok(path)
}

/// A text that is not resolved; the connector interprets it.
fn passthrough(rest: &str) -> Result<Place, &'static str> {
    match rest.strip_prefix("///") {
        None => Err("'passthrough' has no authority: write 'passthrough:///text'"),
        Some("") => Err("the text is empty"),
        Some(text) => Ok(Place::One(Address::Other(text.into()))),
    }
}

fn parse_dns(rest: &str) -> Result<Place, &'static str> {
    let host = match rest.strip_prefix("//") {
        Some(rest) => match rest.split_once('/') {
            Some(("", endpoint)) => endpoint,
            Some(_) => return Err("a name server in the target is not supported"),
            None => return Err("the host is missing"),
        },
        None => rest,
    };
    parse_host(host)
}

fn parse_host(text: &str) -> Result<Place, &'static str> {
    if text.contains(',') {
        return Err("a list has to begin with 'ipv4:' or 'ipv6:'");
    }
    let (host, port) = split_port(text)?;
    if host.is_empty() {
        return Err("the host is empty");
    }
    if host.contains(['/', '@', '?', '#', ' ']) {
        return Err("the host has a character that is not allowed in hosts");
    }
    if zone::split(host).is_some() {
        return parse_address(text, true).map(|address| Place::Addresses(vec![address]));
    }
    Ok(Place::Dns {
        host: host.to_owned(),
        port,
    })
}

fn parse_addresses(list: &str, is_v6: bool) -> Result<Place, &'static str> {
    // gRPC's URIs of these schemes have no authority; an empty one is allowed.
    let list = list.strip_prefix("///").unwrap_or(list);
    let addresses = list.split(',').map(|one| parse_address(one, is_v6));
    addresses.collect::<Result<_, _>>().map(Place::Addresses)
}

/// A path as an authority (RFC 3986 section 3.2).
fn encoded(path: &str) -> String {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    const KEPT: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'.')
        .remove(b'_')
        .remove(b'~')
        .remove(b':')
        .remove(b'[')
        .remove(b']');
    utf8_percent_encode(path, KEPT).to_string()
}

fn parse_address(text: &str, is_v6: bool) -> Result<SocketAddr, &'static str> {
    let (host, port) = split_port(text)?;
    if is_v6 && zone::split(host).is_some() {
        let address = zone::socket(host, port).map(SocketAddr::V6);
        return address.ok_or("an address has a zone that is not an interface of this machine");
    }
    match host.parse::<IpAddr>() {
        Ok(ip) if ip.is_ipv6() == is_v6 => Ok(SocketAddr::new(ip, port)),
        _ if is_v6 => Err("an address is not an IPv6 address"),
        _ => Err("an address is not an IPv4 address"),
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
