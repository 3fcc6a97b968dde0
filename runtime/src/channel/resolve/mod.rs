//! Resolves a target to the endpoints of its connections.

pub(crate) mod dns;
mod fixed;
#[cfg(feature = "dns-txt")]
mod joined;
pub(crate) mod resolution;
pub(crate) mod resolver;
pub(crate) mod source;
#[cfg(feature = "dns-txt")]
mod txt;
pub(crate) mod updates;
