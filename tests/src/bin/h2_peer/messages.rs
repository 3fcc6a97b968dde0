//! gRPC's messages over a stream of `h2`. What is read is returned to the windows at once, and
//! nothing is buffered beyond the peer's windows.

use std::future::poll_fn;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use grpc_tests::load::Failure;
use h2::{RecvStream, SendStream};
use prost::Message;

/// The flag for compression, and the length.
const PREFIX: usize = 5;

/// A message as it goes over the wire.
pub(crate) fn framed(message: &impl Message) -> Bytes {
    let len = message.encoded_len();
    let mut frame = BytesMut::with_capacity(PREFIX + len);
    frame.put_u8(0);
    frame.put_u32(len as u32);
    frame.extend_from_slice(&message.encode_to_vec());
    frame.freeze()
}

/// Sends one message, in a DATA frame of its own if there is room for all of it.
///
/// # Errors
/// The stream or its connection ended.
pub(crate) async fn send(stream: &mut SendStream<Bytes>, mut frame: Bytes) -> Result<(), Failure> {
    while !frame.is_empty() {
        stream.reserve_capacity(frame.len());
        let capacity = match poll_fn(|context| stream.poll_capacity(context)).await {
            Some(capacity) => capacity?,
            None => return Err("the stream takes no more".into()),
        };
        stream.send_data(frame.split_to(capacity.min(frame.len())), false)?;
    }
    Ok(())
}

/// The messages that a stream brings.
pub(crate) struct Messages {
    stream: RecvStream,
    buffer: BytesMut,
}

impl Messages {
    pub(crate) fn new(stream: RecvStream) -> Self {
        let buffer = BytesMut::new();
        Self { stream, buffer }
    }

    /// The next message, or none at the stream's end.
    ///
    /// # Errors
    /// The stream broke off, or what it brings is no such message.
    pub(crate) async fn next<M: Message + Default>(&mut self) -> Result<Option<M>, Failure> {
        loop {
            if let Some(message) = self.complete() {
                return Ok(Some(M::decode(message)?));
            }
            let Some(data) = self.stream.data().await else {
                if self.buffer.is_empty() {
                    return Ok(None);
                }
                return Err("the stream ended in the middle of a message".into());
            };
            let data = data?;
            self.stream.flow_control().release_capacity(data.len())?;
            self.buffer.extend_from_slice(&data);
        }
    }

    fn complete(&mut self) -> Option<BytesMut> {
        let mut prefix = self.buffer.get(1..PREFIX)?;
        let len = PREFIX + prefix.get_u32() as usize;
        if self.buffer.len() < len {
            self.buffer.reserve(len - self.buffer.len());
            return None;
        }
        let mut message = self.buffer.split_to(len);
        message.advance(PREFIX);
        Some(message)
    }

    /// The trailers, once there are no more messages.
    ///
    /// # Errors
    /// The stream broke off, or the call did not end with OK.
    pub(crate) async fn ok(&mut self) -> Result<(), Failure> {
        let trailers = self.stream.trailers().await?.unwrap_or_default();
        match trailers.get("grpc-status") {
            Some(status) if status == "0" => Ok(()),
            _ => Err(format!("the call ended with {trailers:?}").into()),
        }
    }
}
