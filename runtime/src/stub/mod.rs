//! What a stub's methods return: the four call shapes, async and blocking. Each is a thin typed
//! layer over one non-generic call.

mod bidi_streaming;
mod blocking;
mod call;
mod client_streaming;
mod park;
mod server_streaming;
mod unary;

pub use bidi_streaming::BidiStreamingCall;
pub use blocking::{BlockingClientStream, BlockingReceiver, BlockingSender};
pub use client_streaming::{ClientStream, ClientStreamingCall};
pub use server_streaming::ServerStreamingCall;
pub use unary::{Response, ResponseFuture, UnaryCall, UnaryFuture};
