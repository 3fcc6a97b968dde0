//! A request's head: PROTOCOL-HTTP2's `Request-Headers`, written by clients and
//! read by servers. It must never run or route anything.

use std::time::Duration;

use crate::deadline;
use crate::framing::{Compression, Encodings};
use crate::metadata::Metadata;
use crate::status::{Code, Status};
use crate::transport::http2::fields::Fields;

/// What every request says of its sender (PROTOCOL-HTTP2, "User Agents").
pub(crate) const USER_AGENT: &str = concat!("grpc-rust-runtime/", env!("CARGO_PKG_VERSION"));

/// The parts of a request's head that a client chooses.
#[derive(Debug)]
pub(crate) struct RequestHead<'a> {
    pub(crate) scheme: &'a str,
    pub(crate) path: &'a str,
    pub(crate) authority: &'a str,
    pub(crate) timeout: Option<Duration>,
    pub(crate) encoding: Compression,
    /// What responses may be compressed with; empty where that is not said.
    pub(crate) accept_encoding: &'a str,
    pub(crate) user_agent: &'a str,
    pub(crate) metadata: &'a Metadata,
}

impl RequestHead<'_> {
    /// In the order that PROTOCOL-HTTP2 asks for: pseudo-header fields, the
    /// timeout, the call's definition, custom metadata.
    pub(crate) fn write(&self, fields: &mut Fields) {
        fields.push(b":method", b"POST");
        fields.push(b":scheme", self.scheme.as_bytes());
        fields.push(b":path", self.path.as_bytes());
        fields.push(b":authority", self.authority.as_bytes());
        if let Some(timeout) = self.timeout {
            let mut digits = [0; deadline::TIMEOUT_LEN];
            fields.push(
                b"grpc-timeout",
                deadline::encode_timeout(timeout, &mut digits),
            );
        }
        fields.push(b"te", b"trailers");
        fields.push(b"content-type", b"application/grpc");
        if !self.encoding.is_identity() {
            fields.push(b"grpc-encoding", self.encoding.name().as_bytes());
        }
        if !self.accept_encoding.is_empty() {
            fields.push(b"grpc-accept-encoding", self.accept_encoding.as_bytes());
        }
        fields.push(b"user-agent", self.user_agent.as_bytes());
        self.metadata
            .for_each_wire(|name, value| fields.push(name, value));
    }
}

/// A request's head as a server sees it.
#[derive(Debug)]
pub(crate) struct ReceivedRequest<'a> {
    pub(crate) path: &'a [u8],
    /// What remains of the caller's deadline.
    pub(crate) timeout: Option<Duration>,
    /// What its messages are compressed with.
    pub(crate) encoding: Compression,
    /// What the response's may be.
    pub(crate) accepted: Encodings,
}

/// Why a request gets no handler.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// It is not gRPC: answered with an HTTP status.
    Http(u16, &'static str),
    /// It is gRPC and broken: answered with a status.
    Grpc(Status),
    /// Its messages are compressed in a way that is not taken here.
    Encoding(Status),
}

impl<'a> ReceivedRequest<'a> {
    /// Reads a head. The caller's metadata goes into `metadata`, which is empty;
    /// `encodings` are those that this side takes.
    pub(crate) fn read(
        fields: &'a Fields,
        encodings: Encodings,
        metadata: &mut Metadata,
    ) -> Result<Self, Refusal> {
        let mut path: &[u8] = b"";
        let mut timeout = None;
        let mut content_type = None;
        let mut hosts = 0;
        let mut encoding = Compression::Identity;
        let mut accepted = Encodings::default();
        for (name, value) in fields.iter() {
            match name {
                b":path" => path = value,
                // Pseudo-header fields come first, so nothing else is judged before.
                b":method" if value != b"POST" => {
                    return Err(Refusal::Http(405, "gRPC calls are POST requests"));
                }
                [b':', ..] | b"te" | b"content-length" => {}
                b"content-type" => content_type = Some(value),
                b"host" => hosts += 1,
                b"grpc-timeout" => {
                    let parsed = deadline::parse_timeout(value);
                    timeout = Some(parsed.map_err(|error| Refusal::Grpc(error.into()))?);
                }
                b"grpc-accept-encoding" => accepted.add_listed(value),
                b"grpc-encoding" => {
                    let read = encodings.read(value);
                    encoding = read.map_err(|text| {
                        Refusal::Encoding(Status::new(Code::Unimplemented, text))
                    })?;
                }
                _ => metadata
                    .append_wire(name, value)
                    .map_err(|error| Refusal::Grpc(error.into()))?,
            }
        }
        if !content_type.is_some_and(is_grpc) {
            return Err(Refusal::Http(
                415,
                "the content-type is not application/grpc",
            ));
        }
        if hosts > 1 {
            return Err(Refusal::Http(400, "more than one host"));
        }
        Ok(Self {
            path,
            timeout,
            encoding,
            accepted,
        })
    }
}

/// `application/grpc`, `application/grpc+proto`, or either with parameters
/// (PROTOCOL-HTTP2, "Content-Type").
pub(crate) fn is_grpc(content_type: &[u8]) -> bool {
    const BASE: &[u8] = b"application/grpc";
    let Some((base, rest)) = content_type.split_at_checked(BASE.len()) else {
        return false;
    };
    if !base.eq_ignore_ascii_case(BASE) {
        return false;
    }
    let codec = rest.strip_prefix(b"+").map_or(rest, |codec| {
        if codec.len() >= 5 && codec[..5].eq_ignore_ascii_case(b"proto") {
            &codec[5..]
        } else {
            codec
        }
    });
    codec.is_empty() || codec.starts_with(b";")
}

#[cfg(test)]
mod tests;
