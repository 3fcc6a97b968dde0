//! HTTP/2 as a state machine without I/O, and the thin shell that moves its bytes. Nothing
//! here is specific to gRPC calls.

pub(crate) mod driver;
pub(crate) mod http2;
pub(crate) mod io;
mod other_protocol;
pub(crate) mod peer_address;
pub(crate) mod peer_identity;
mod timer;

pub use http2::options::Http2Options;
pub use io::byte_stream::ByteStream;
pub use peer_address::PeerAddress;
