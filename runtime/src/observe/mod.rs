//! Reports events of the connections and calls of a channel or a server to observers, which
//! do not change the calls.

pub(crate) mod access_log;
pub(crate) mod attempt;
pub(crate) mod begun_call;
pub(crate) mod call_observer;
pub(crate) mod close_reason;
pub(crate) mod connection;
pub(crate) mod ended_call;
mod excerpt;
pub(crate) mod observation;
pub(crate) mod observer;
#[cfg(feature = "tracing")]
pub(crate) mod spans;
pub(crate) mod weights;
