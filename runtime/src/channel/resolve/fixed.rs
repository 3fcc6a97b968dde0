//! Targets that say themselves where their servers are. They are never looked up
//! again.

use std::net::SocketAddr;

use super::address::{Address, Endpoint};
use super::resolution::Resolution;

/// Each address is a server of its own.
pub(super) fn addresses(list: &[SocketAddr]) -> Resolution {
    Resolution::new(list.iter().copied().map(Endpoint::new))
}

pub(super) fn one(address: Address) -> Resolution {
    Resolution::new([Endpoint::new(address)])
}
