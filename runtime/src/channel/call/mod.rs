//! One logical call of a channel, on its way to a stream and on it.

pub(crate) mod attempt;
pub(crate) mod attempts;
pub(crate) mod call_options;
mod course;
pub(crate) mod interceptor;
pub(crate) mod open_call;
pub(crate) mod plan;
mod replay;
pub(crate) mod response_state;
pub(crate) mod throttle;
pub(crate) mod ticket;
#[cfg(test)]
pub(in crate::channel) mod trial;
