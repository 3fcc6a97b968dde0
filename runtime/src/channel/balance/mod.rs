//! Policies: how a channel uses the endpoints that it knows. They are pure: events go
//! in, and subchannels, pickers and states come out; time and chance are given.

#[cfg(test)]
pub(in crate::channel) mod bench;
pub(crate) mod child;
pub(crate) mod control;
pub(crate) mod pick_first;
pub(crate) mod policy;
pub(crate) mod round_robin;
pub(crate) mod switch;
