//! A response's head and trailers: PROTOCOL-HTTP2's `Response-Headers`, `Trailers` and
//! `Trailers-Only`, written by servers and read by clients. A malformed value from the peer is
//! an error of its call, not a panic.

use bytes::Bytes;

use super::request_head::is_grpc;
use crate::framing::{Compression, Encodings};
use crate::metadata::{Metadata, decode_base64, encode_base64};
use crate::status::{self, Code, Phase, Status};
use crate::transport::http2::fields::Fields;

/// The compression fields of a response's head; none by default.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Coding {
    /// The encoding of the response's messages.
    pub(crate) encoding: Compression,
    /// The encodings that this side accepts.
    pub(crate) accepts: Encodings,
}

/// Writes a response's head.
pub(crate) fn write_head(fields: &mut Fields, coding: Coding, metadata: &Metadata) {
    fields.push(b":status", b"200");
    fields.push(b"content-type", b"application/grpc");
    if !coding.encoding.is_identity() {
        fields.push(b"grpc-encoding", coding.encoding.name().as_bytes());
    }
    if !coding.accepts.is_plain() {
        fields.push(b"grpc-accept-encoding", coding.accepts.list().as_bytes());
    }
    metadata.for_each_wire(|name, value| fields.push(name, value));
}

/// Writes the trailers of a call: the status and its details, then the trailing metadata.
pub(crate) fn write_trailers(
    fields: &mut Fields,
    result: &Result<(), Status>,
    trailing: &Metadata,
) {
    match result {
        Ok(()) => fields.push(b"grpc-status", Code::Ok.as_wire().as_bytes()),
        Err(status) => {
            write_status(fields, status);
            status
                .metadata()
                .for_each_wire(|name, value| fields.push(name, value));
        }
    }
    trailing.for_each_wire(|name, value| fields.push(name, value));
}

fn write_status(fields: &mut Fields, status: &Status) {
    // A handler that fails with the code OK has a bug. The caller gets `UNKNOWN`, since OK
    // would look like success.
    let code = if status.code() == Code::Ok {
        Code::Unknown
    } else {
        status.code()
    };
    fields.push(b"grpc-status", code.as_wire().as_bytes());
    if !status.message().is_empty() {
        fields.push(
            b"grpc-message",
            status::message::encode(status.message()).as_bytes(),
        );
    }
    if !status.details().is_empty() {
        let mut text = Vec::new();
        fields.push(
            b"grpc-status-details-bin",
            encode_base64(status.details(), &mut text),
        );
    }
}

/// Writes the answer to a request that is not gRPC.
pub(crate) fn write_http_error(fields: &mut Fields, http: u16, text: &str) {
    let digits = [100, 10, 1].map(|unit| b'0' + (http / unit % 10) as u8);
    fields.push(b":status", &digits);
    fields.push(b"content-type", b"application/grpc");
    let code = Code::from_http_status(http);
    write_status(fields, &Status::new(code, text.to_owned()));
}

/// A response's head as a client sees it.
#[derive(Debug)]
pub(crate) struct ReceivedHead {
    /// The encoding of the response's messages.
    pub(crate) encoding: Compression,
    pub(crate) metadata: Metadata,
}

/// Reads a response's head that is not trailers-only; an error says why it is not a gRPC
/// response. `encodings` are those that this side accepts.
pub(crate) fn read_head(fields: &Fields, encodings: Encodings) -> Result<ReceivedHead, Status> {
    if fields.overflowed() {
        check_http(fields)?;
        return Err(too_large("response head"));
    }
    let mut is_ok = false;
    let mut encoding = Compression::Identity;
    let mut metadata = Metadata::default();
    // A response that is not gRPC is reported as such, before any other error in its
    // fields.
    for (name, value) in fields.iter() {
        match name {
            b":status" => is_ok = value == b"200",
            b"content-type" => is_ok &= is_grpc(value),
            [b':', ..] | b"grpc-accept-encoding" | b"content-length" => {}
            b"grpc-encoding" => {
                encoding = encodings.read(value).map_err(|text| {
                    let status = Status::new(Code::Internal, text).with_phase(Phase::Receive);
                    check_http(fields).err().unwrap_or(status)
                })?;
            }
            _ => append(&mut metadata, name, value)
                .map_err(|status| check_http(fields).err().unwrap_or(status))?,
        }
    }
    if !is_ok {
        check_http(fields)?;
    }
    Ok(ReceivedHead { encoding, metadata })
}

/// Reads trailers, or a head that is trailers-only: the call's end.
pub(crate) fn read_trailers(fields: &Fields) -> Result<Metadata, Status> {
    let mut metadata = Metadata::default();
    let mut code = None;
    let mut message = String::new();
    let mut details = Bytes::new();
    for (name, value) in fields.iter() {
        match name {
            b"grpc-status" => code = Some(Code::from_wire(value)),
            [b':', ..]
            | b"content-type"
            | b"grpc-encoding"
            | b"grpc-accept-encoding"
            | b"content-length" => {}
            b"grpc-message" => message = status::message::decode(value),
            b"grpc-status-details-bin" => {
                // Details that cannot be decoded are dropped; the caller still gets the
                // code.
                let mut decoded = Vec::new();
                if decode_base64(value, &mut decoded).is_some() {
                    details = decoded.into();
                }
            }
            _ => append(&mut metadata, name, value)?,
        }
    }
    match code {
        Some(Code::Ok) => Ok(metadata),
        Some(code) => {
            let status = Status::new(code, message).with_details(details);
            Err(status.with_metadata(metadata))
        }
        None if fields.overflowed() => Err(too_large("trailers")),
        None => Err(missing_status(fields)),
    }
}

fn append(metadata: &mut Metadata, name: &[u8], value: &[u8]) -> Result<(), Status> {
    metadata.append_wire(name, value).map_err(|error| {
        let text = format!("the server sent broken metadata: {error}");
        Status::new(Code::Internal, text)
            .with_phase(Phase::Receive)
            .with_source(error)
    })
}

/// A response that is not gRPC, such as a proxy's error page, is reported by its HTTP
/// status.
fn check_http(fields: &Fields) -> Result<(), Status> {
    let status = fields.get(b":status").unwrap_or_default();
    let content_type = fields.get(b"content-type");
    if status == b"200" && content_type.is_none_or(is_grpc) {
        return Ok(());
    }
    Err(not_grpc(status, content_type))
}

fn missing_status(fields: &Fields) -> Status {
    let status = fields.get(b":status").unwrap_or_default();
    if status.is_empty() || status == b"200" {
        return Status::new(
            Code::Unknown,
            "the server ended the call without a grpc-status",
        )
        .with_phase(Phase::Receive);
    }
    not_grpc(status, fields.get(b"content-type"))
}

fn not_grpc(status: &[u8], content_type: Option<&[u8]>) -> Status {
    let code = std::str::from_utf8(status)
        .ok()
        .and_then(|digits| digits.parse().ok());
    let text = format!(
        "the server answered HTTP {} with content-type '{}', which is not gRPC",
        String::from_utf8_lossy(status),
        String::from_utf8_lossy(content_type.unwrap_or_default()),
    );
    Status::new(code.map_or(Code::Unknown, Code::from_http_status), text).with_phase(Phase::Receive)
}

fn too_large(what: &str) -> Status {
    let text =
        format!("the {what} is above the limit of this side (Http2Options::max_header_list_size)");
    Status::new(Code::ResourceExhausted, text).with_phase(Phase::Receive)
}

#[cfg(test)]
mod tests;
