//! One RPC, for clients and servers: its heads and trailers as HTTP/2 fields, its messages
//! in both directions, and the state shared by the connection's task and the caller's or
//! handler's. It depends on neither channel nor server.

pub(crate) mod command;
pub(crate) mod commands;
pub(crate) mod deadlines;
pub(crate) mod early_head;
pub(crate) mod envelope;
pub(crate) mod extensions;
pub(crate) mod gather;
pub(crate) mod held_places;
pub(crate) mod ledger;
pub(crate) mod load_report;
pub(crate) mod queue;
pub(crate) mod receiver;
pub(crate) mod request_head;
pub(crate) mod reset;
pub(crate) mod response_head;
mod send_all;
pub(crate) mod sender;
pub(crate) mod sends;
pub(crate) mod shutdown;
pub(crate) mod state;
pub(crate) mod validator;
