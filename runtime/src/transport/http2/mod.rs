//! HTTP/2 (RFC 9113) and HPACK (RFC 7541) without I/O: a [`Connection`] takes
//! bytes and the time, and gives events and bytes.
//!
//! [`Connection`]: connection::Connection

mod account;
pub(crate) mod budget;
mod budgets;
pub(crate) mod call_memory;
pub(crate) mod connection;
pub(crate) mod credit;
mod departed;
pub(crate) mod durations;
pub(crate) mod error_code;
pub(crate) mod event;
mod field_rules;
pub(crate) mod fields;
mod flow;
mod frame;
pub(crate) mod grants;
mod hpack;
#[cfg(test)]
pub(crate) mod instructions_tests;
pub(crate) mod keepalive;
pub(crate) mod lifetime;
pub(crate) mod memory;
pub(crate) mod options;
pub(crate) mod output;
pub(crate) mod stream;
pub(crate) mod tally;
