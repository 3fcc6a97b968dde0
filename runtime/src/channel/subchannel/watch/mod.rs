//! Calls that a connection makes for itself and keeps open: the server's health (gRFC
//! A17), and its load (gRFC A51).

pub(super) mod health;
pub(super) mod subject;
mod watch_call;
pub(super) mod watches;
