//! Calls that a connection makes itself and keeps open: for the server's health (gRFC A17)
//! and its load (gRFC A51).

pub(super) mod health;
pub(super) mod subject;
mod watch_call;
pub(super) mod watches;
