//! IPv6 addresses with a zone (RFC 4007 section 11), such as `fe80::1%eth0`. A zone is an
//! interface of this machine, by name or number.

use std::net::{Ipv6Addr, SocketAddrV6, ToSocketAddrs};

/// The address and its zone; `None` if the text is not an address or has no zone.
pub(super) fn split(host: &str) -> Option<(Ipv6Addr, &str)> {
    let (address, zone) = host.split_once('%')?;
    let address = address.parse().ok()?;
    (!zone.is_empty()).then_some((address, zone))
}

/// The socket address; `None` if the zone is not an interface of this machine. In URIs the
/// percent sign is written as `%25`.
pub(super) fn socket(host: &str, port: u16) -> Option<SocketAddrV6> {
    let (address, zone) = split(host)?;
    if let Ok(number) = zone.parse() {
        return Some(SocketAddrV6::new(address, port, 0, number));
    }
    let number = number_of(zone).or_else(|| number_of(zone.strip_prefix("25")?))?;
    Some(SocketAddrV6::new(address, port, 0, number))
}

/// The number of an interface. The system's address parser returns it with a link-local
/// address, without a lookup.
fn number_of(name: &str) -> Option<u32> {
    let mut found = (format!("fe80::1%{name}"), 0).to_socket_addrs().ok()?;
    found.find_map(|address| match address {
        std::net::SocketAddr::V6(address) => Some(address.scope_id()),
        std::net::SocketAddr::V4(_) => None,
    })
}
