//! Request validators, which a program provides and which see a message's bytes before its
//! handler does. A call whose service has none pays for one branch.

use std::sync::Arc;

use prost::Message;

use crate::framing::{self, Payload, Side};
use crate::method::Method;
use crate::status::Status;

type Judge = dyn Fn(Method, &[u8]) -> Result<(), Status> + Send + Sync;

/// A service's validator of request messages.
#[derive(Clone)]
pub(crate) struct RequestJudge(Arc<Judge>);

impl RequestJudge {
    pub(crate) fn new(
        judge: impl Fn(Method, &[u8]) -> Result<(), Status> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(judge))
    }

    /// The validator for the calls of one method.
    pub(crate) fn of(&self, method: Method) -> Arc<RequestValidator> {
        Arc::new(RequestValidator {
            judge: self.clone(),
            method,
        })
    }
}

impl std::fmt::Debug for RequestJudge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RequestJudge")
    }
}

/// Validates the messages of one call's request.
#[derive(Debug)]
pub(crate) struct RequestValidator {
    judge: RequestJudge,
    method: Method,
}

impl RequestValidator {
    /// The message and its decompressed size, as
    /// [`decode_message`](framing::decode_message) returns them, or the validator's error.
    #[cold]
    #[inline(never)]
    pub(crate) fn decode<M: Message + Default>(
        &self,
        payload: Payload,
    ) -> Result<(M, usize), Status> {
        let in_status = |error: framing::FramingError| error.into_status(Side::Server);
        let bytes = framing::plain(payload).map_err(in_status)?;
        // Decoded first: the validator only sees bytes that are a message.
        let decoded = framing::decode_message(bytes.clone().into()).map_err(in_status)?;
        (self.judge.0)(self.method, &bytes)?;
        Ok(decoded)
    }
}
