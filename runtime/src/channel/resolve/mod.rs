//! From a target to the endpoints that its connections may lead to.

pub(crate) mod dns;
mod fixed;
pub(crate) mod resolution;
pub(crate) mod resolver;
pub(crate) mod running;
pub(crate) mod updates;
