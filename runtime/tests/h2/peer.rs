//! What both roles of the peer need: messages as bytes, header lists, and
//! bodies read to their end. It must never import the runtime's own framing.

use std::future::Future;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use h2::RecvStream;
use http::{HeaderMap, HeaderName, HeaderValue};
use prost::Message;
use tokio::time::timeout;

use crate::support::Echo;

/// Long enough for anything that is not stuck.
const BOUND: Duration = Duration::from_secs(20);

pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    timeout(BOUND, future).await.expect("stuck")
}

/// The message behind its five bytes of prefix.
pub(crate) fn framed(message: &Echo) -> Bytes {
    prefixed(0, &message.encode_to_vec())
}

pub(crate) fn prefixed(flag: u8, body: &[u8]) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_u8(flag);
    bytes.put_u32(body.len().try_into().unwrap());
    bytes.put_slice(body);
    bytes.freeze()
}

/// All the messages of a body, which must be complete.
pub(crate) fn messages(mut body: Bytes) -> Vec<Echo> {
    let mut messages = Vec::new();
    while body.has_remaining() {
        assert_eq!(body.get_u8(), 0, "the flag of a message");
        let length = body.get_u32() as usize;
        messages.push(Echo::decode(body.split_to(length)).unwrap());
    }
    messages
}

pub(crate) fn fields(list: &[(&'static str, &str)]) -> HeaderMap {
    let mut fields = HeaderMap::new();
    for (name, value) in list {
        fields.append(
            HeaderName::from_static(name),
            HeaderValue::from_str(value).unwrap(),
        );
    }
    fields
}

/// The text of a field; empty where it is missing.
pub(crate) fn text<'a>(fields: &'a HeaderMap, name: &str) -> &'a str {
    fields.get(name).map_or("", |value| value.to_str().unwrap())
}

/// Reads a body to its end, giving credit back as it comes.
pub(crate) async fn read(body: &mut RecvStream) -> Result<Bytes, h2::Error> {
    let mut bytes = BytesMut::new();
    while let Some(data) = body.data().await {
        let data = data?;
        body.flow_control().release_capacity(data.len())?;
        bytes.put(data);
    }
    Ok(bytes.freeze())
}
