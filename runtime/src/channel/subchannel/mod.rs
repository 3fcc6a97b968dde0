//! One endpoint and the connection to it. Policies hold the handle; the lifecycle runs in
//! its own task and reports to the channel's hub.

pub(crate) mod common;
mod connection;
pub(crate) mod connector;
mod dial;
mod failure;
mod greeting;
pub(crate) mod handle;
pub(crate) mod identity;
pub(crate) mod lifecycle;
pub(crate) mod proxy;
mod race;
pub(crate) mod report;
mod retired;
mod scaling;
pub(crate) mod security;
pub(crate) mod unopened;
pub(crate) mod watch;

pub(crate) use dial::{CONNECT_TIMEOUT, Connects, Dial};
