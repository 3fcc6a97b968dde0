//! The gRPC status for a reset stream or an ended connection: the table of PROTOCOL-HTTP2,
//! "Errors". Values only.

use crate::status::{Code, Phase, Status};
use crate::transport::driver::Closed;
use crate::transport::http2::error_code::ErrorCode;
use crate::transport::http2::event::ResetCause;
#[cfg(feature = "tls")]
use crate::transport::io::tls::HandshakeError;

/// The status of a call whose stream was reset.
pub(crate) fn status_of(cause: ResetCause) -> Status {
    match cause {
        ResetCause::Peer(code) => {
            let text = format!("the peer reset the call's stream with {code}");
            Status::new(code_of(code), text).with_phase(Phase::Receive)
        }
        ResetCause::Violation(code, reason) => {
            let text = format!("the peer broke HTTP/2 on the call's stream: {reason} ({code})");
            Status::new(Code::Internal, text).with_phase(Phase::Receive)
        }
        ResetCause::Unprocessed => Status::new(
            Code::Unavailable,
            "the peer is closing the connection and did not process the call",
        )
        .with_phase(Phase::Send),
    }
}

fn code_of(code: ErrorCode) -> Code {
    match code {
        ErrorCode::REFUSED_STREAM => Code::Unavailable,
        ErrorCode::CANCEL => Code::Cancelled,
        ErrorCode::ENHANCE_YOUR_CALM => Code::ResourceExhausted,
        ErrorCode::INADEQUATE_SECURITY => Code::PermissionDenied,
        _ => Code::Internal,
    }
}

/// The status of every call that was open when its connection ended, with the socket's
/// error as its source. `go_away` is the peer's GOAWAY, if it sent one.
pub(crate) fn status_of_closed(
    closed: Closed,
    peer: &str,
    go_away: Option<&str>,
    established: bool,
) -> Status {
    // In TLS 1.3 the client's handshake completes before the server has checked the
    // client's certificate, so the server's rejection arrives as a read error.
    #[cfg(feature = "tls")]
    if let Closed::Io(error) = &closed
        && !established
        && let Some(error) = HandshakeError::of_stream(error)
    {
        return status_of_handshake(error, peer);
    }
    let text = match (&closed, go_away) {
        (Closed::Drained | Closed::Eof | Closed::Io(_), Some(go_away)) => {
            format!("the connection to {peer} was closed by the peer: {go_away}")
        }
        (Closed::Drained, None) => format!("the connection to {peer} was closed"),
        (Closed::Eof, None) => format!("the connection to {peer} was closed by the peer"),
        (Closed::Io(error), None) => format!("the connection to {peer} was lost: {error}"),
        (Closed::Protocol(error), _) => format!("the connection to {peer} was given up: {error}"),
        (Closed::NotHttp2(said), _) => format!("the connection to {peer} was given up: {said}"),
    };
    let phase = if established {
        Phase::Receive
    } else {
        Phase::Connect
    };
    let status = Status::new(Code::Unavailable, text).with_phase(phase);
    match closed {
        Closed::Io(error) => status.with_source(error),
        Closed::Protocol(error) => status.with_source(error),
        Closed::Drained | Closed::Eof | Closed::NotHttp2(_) => status,
    }
}

/// The status of calls that waited for a connection on which TLS failed.
#[cfg(feature = "tls")]
fn status_of_handshake(error: HandshakeError, peer: &str) -> Status {
    let text = format!("TLS with {peer}: {error}");
    let status = Status::new(Code::Unavailable, text).with_phase(Phase::Handshake);
    match error.into_source() {
        Some(source) => status.with_source(source),
        None => status,
    }
}
