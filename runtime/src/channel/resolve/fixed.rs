//! Targets that say themselves where their servers are. They are never looked up
//! again.

use std::net::SocketAddr;

use super::resolution::Resolution;
use crate::channel::address::{Address, Endpoint};

/// Each address is a server of its own.
pub(super) fn addresses(list: &[SocketAddr]) -> Resolution {
    Resolution::new(list.iter().copied().map(Endpoint::new))
}

pub(super) fn one(address: Address) -> Resolution {
    Resolution::new([Endpoint::new(address)])
}
