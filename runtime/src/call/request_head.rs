//! A request's head: PROTOCOL-HTTP2's `Request-Headers`, written by clients and read by
//! servers.

use std::time::Duration;

use crate::deadline;
use crate::framing::{Compression, Encodings};
use crate::metadata::Metadata;
use crate::status::{Code, Status};
use crate::transport::http2::fields::Fields;

/// The `user-agent` of every request (PROTOCOL-HTTP2, "User Agents").
pub(crate) const USER_AGENT: &str = concat!("grpc-rust-runtime/", env!("CARGO_PKG_VERSION"));

/// The fields that all requests of a client's connection share, in their encoded form.
#[derive(Debug)]
pub(crate) struct RequestTemplate {
    scheme: Fields,
    authority: Fields,
    definition: Fields,
}

impl RequestTemplate {
    /// `accept_encoding` lists the encodings that responses may use; empty for none.
    pub(crate) fn new(
        scheme: &str,
        authority: &str,
        accept_encoding: &str,
        user_agent: &str,
    ) -> Self {
        let list = |fields: &[(&str, &str)]| {
            let mut list = Fields::default();
            for (name, value) in fields {
                list.push(name.as_bytes(), value.as_bytes());
            }
            list
        };
        let mut definition = list(&[("te", "trailers"), ("content-type", "application/grpc")]);
        if !accept_encoding.is_empty() {
            definition.push(b"grpc-accept-encoding", accept_encoding.as_bytes());
        }
        definition.push(b"user-agent", user_agent.as_bytes());
        Self {
            scheme: list(&[(":method", "POST"), (":scheme", scheme)]),
            authority: list(&[(":authority", authority)]),
            definition,
        }
    }

    /// Writes the head of one request in the order of PROTOCOL-HTTP2: pseudo-header fields,
    /// the timeout, the call's definition, custom metadata.
    pub(crate) fn write(
        &self,
        path: &str,
        timeout: Option<Duration>,
        encoding: Compression,
        metadata: &Metadata,
        fields: &mut Fields,
    ) {
        fields.append(&self.scheme);
        fields.push(b":path", path.as_bytes());
        fields.append(&self.authority);
        if let Some(timeout) = timeout {
            fields.end_common_part();
            let mut digits = [0; deadline::TIMEOUT_LEN];
            fields.push(
                b"grpc-timeout",
                deadline::encode_timeout(timeout, &mut digits),
            );
        }
        fields.append(&self.definition);
        if !encoding.is_identity() {
            fields.push(b"grpc-encoding", encoding.name().as_bytes());
        }
        if timeout.is_none() {
            fields.end_common_part();
        }
        metadata.for_each_wire(|name, value| fields.push(name, value));
    }
}

/// A request's head as a server sees it.
#[derive(Debug)]
pub(crate) struct ReceivedRequest<'a> {
    pub(crate) path: &'a [u8],
    /// The time left until the caller's deadline; `None` for no deadline.
    pub(crate) timeout: Option<Duration>,
    /// The encoding of the request's messages.
    pub(crate) encoding: Compression,
    /// The encodings that the caller accepts in the response.
    pub(crate) accepted: Encodings,
}

/// Why a request is not passed to a handler.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// It is not gRPC: answered with an HTTP status.
    Http(u16, &'static str),
    /// It is malformed gRPC: answered with a gRPC status.
    Grpc(Status),
    /// Its messages use an encoding that this server does not accept.
    Encoding(Status),
}

impl<'a> ReceivedRequest<'a> {
    /// Reads a head. The caller's metadata goes into `metadata`, which must be empty;
    /// `encodings` are those that this server accepts.
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
                // Pseudo-header fields come first, so this check precedes those of other
                // fields.
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
    if content_type == BASE {
        return true;
    }
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
