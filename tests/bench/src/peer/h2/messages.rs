//! Messages with gRPC's prefixes, in and out of `h2` streams.

use std::future::poll_fn;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use h2::{RecvStream, SendStream};
use http::HeaderMap;
use prost::Message;

use crate::Error;

const PREFIX: usize = 5;

/// Appends a message to a batch.
pub(super) fn put(message: &impl Message, batch: &mut BytesMut) -> Result<(), Error> {
    let length = message.encoded_len();
    batch.reserve(PREFIX + length);
    batch.put_u8(0);
    batch.put_u32(u32::try_from(length)?);
    message.encode(batch)?;
    Ok(())
}

/// One message as it goes over the wire.
pub(super) fn framed(message: &impl Message) -> Result<Bytes, Error> {
    let mut batch = BytesMut::new();
    put(message, &mut batch)?;
    Ok(batch.freeze())
}

/// Hands on what a batch holds as the peer makes room for it.
pub(super) async fn write(stream: &mut SendStream<Bytes>, batch: BytesMut) -> Result<(), Error> {
    let mut rest = batch.freeze();
    while !rest.is_empty() {
        stream.reserve_capacity(rest.len());
        while stream.capacity() == 0 {
            let room = poll_fn(|cx| stream.poll_capacity(cx)).await;
            room.ok_or("the stream was closed")??;
        }
        let room = stream.capacity().min(rest.len());
        stream.send_data(rest.split_to(room), false)?;
    }
    Ok(())
}

/// The messages of a stream.
#[derive(Debug)]
pub(super) struct Messages {
    body: RecvStream,
    /// What came and is not decoded yet.
    rest: Bytes,
}

impl Messages {
    pub(super) fn new(body: RecvStream) -> Self {
        let rest = Bytes::new();
        Self { body, rest }
    }

    /// The next message, without waiting, if all of it has come.
    pub(super) fn here<M: Message + Default>(&mut self) -> Result<Option<M>, Error> {
        let Some(mut length) = self.rest.get(1..PREFIX) else {
            return Ok(None);
        };
        let end = PREFIX + length.get_u32() as usize;
        if self.rest.len() < end {
            return Ok(None);
        }
        let message = self.rest.split_to(end).slice(PREFIX..);
        Ok(Some(M::decode(message)?))
    }

    /// The next message; nothing at the end.
    pub(super) async fn next<M: Message + Default>(&mut self) -> Result<Option<M>, Error> {
        loop {
            if let Some(message) = self.here()? {
                return Ok(Some(message));
            }
            if !self.more().await? {
                return Ok(None);
            }
        }
    }

    /// The only message.
    pub(super) async fn one<M: Message + Default>(&mut self) -> Result<M, Error> {
        // A large message is put together once, not chunk by chunk.
        if self.more().await? && self.here_is_part() {
            let mut whole = BytesMut::from(std::mem::take(&mut self.rest));
            while self.more().await? {
                whole.extend_from_slice(&std::mem::take(&mut self.rest));
            }
            self.rest = whole.freeze();
        }
        self.here()?.ok_or_else(|| "a message broke off".into())
    }

    /// The trailers behind the last message, if there are any.
    pub(super) async fn trailers(&mut self) -> Result<Option<HeaderMap>, Error> {
        while self.more().await? {}
        Ok(self.body.trailers().await?)
    }

    fn here_is_part(&self) -> bool {
        let length = self.rest.get(1..PREFIX).map(|mut length| length.get_u32());
        length.is_none_or(|length| self.rest.len() < PREFIX + length as usize)
    }

    /// Waits for a chunk; `false` at the end.
    async fn more(&mut self) -> Result<bool, Error> {
        let Some(chunk) = self.body.data().await else {
            return Ok(false);
        };
        let chunk = chunk?;
        self.body.flow_control().release_capacity(chunk.len())?;
        if self.rest.is_empty() {
            self.rest = chunk;
        } else {
            let mut joined = BytesMut::from(std::mem::take(&mut self.rest));
            joined.extend_from_slice(&chunk);
            self.rest = joined.freeze();
        }
        Ok(true)
    }
}
