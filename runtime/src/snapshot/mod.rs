//! Snapshots of the connections of a channel or a server (gRFC A14's data): records that
//! their owners write, and plain values read from them.

pub(crate) mod call_counts;
pub(crate) mod entity;
pub(crate) mod entries;
pub(crate) mod socket;
pub(crate) mod sockets;
