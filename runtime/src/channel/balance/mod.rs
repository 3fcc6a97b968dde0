//! Balancing policies: how a channel uses its endpoints. Sans-IO: events go in;
//! subchannels, pickers and states come out; time and random numbers are arguments.

#[cfg(test)]
pub(in crate::channel) mod bench;
pub(crate) mod child;
pub(crate) mod control;
#[cfg(test)]
mod costs;
pub(crate) mod ejections;
pub(crate) mod least_request;
mod members;
pub(crate) mod outlier_detection;
pub(crate) mod pick_first;
pub(crate) mod policy;
#[cfg(feature = "ring-hash")]
pub(crate) mod random_subsetting;
mod reported_weight;
#[cfg(feature = "ring-hash")]
pub(crate) mod ring;
#[cfg(feature = "ring-hash")]
pub(crate) mod ring_hash;
pub(crate) mod round_robin;
mod stride;
pub(crate) mod switch;
pub(crate) mod weighted_round_robin;
