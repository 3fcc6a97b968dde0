//! Targets that contain their servers' addresses. They are not resolved again.

use std::net::SocketAddr;

use super::resolution::Resolution;
use crate::channel::address::{Address, Endpoint};

/// Each address is a separate server.
pub(super) fn addresses(list: &[SocketAddr]) -> Resolution {
    Resolution::new(list.iter().copied().map(Endpoint::new))
}

pub(super) fn one(address: Address) -> Resolution {
    Resolution::new([Endpoint::new(address)])
}
