//! Credentials of a call, added before it waits for a connection. It must never
//! let them onto a connection that others can read.

use super::call::open::Open;
use super::shared::Shared;
use crate::credentials::{AuthRequest, CallCredentials};
use crate::method::Method;
use crate::status::{Code, Phase, Status};

/// Adds credentials that need not be made; `false` for those that do.
pub(super) fn add_fixed(
    channel: &Shared,
    open: &mut Open,
    credentials: &CallCredentials,
) -> Result<bool, Status> {
    if credentials.needs_encryption() && !channel.is_encrypted() {
        return Err(unencrypted());
    }
    Ok(credentials.add_fixed(&mut open.options.metadata))
}

/// Makes credentials and adds them.
pub(super) async fn add_made(
    channel: &Shared,
    open: &mut Open,
    credentials: &CallCredentials,
) -> Result<(), Status> {
    let request = AuthRequest {
        service_url: service_url(&channel.identity().authority, open.method),
        method: open.method,
    };
    let added = credentials.add(&request, &mut open.options.metadata).await;
    added.map_err(failed)
}

/// What a source fails with is seen as the call's own status, so it must not look
/// like a server's verdict on the request (gRFC A54).
fn failed(status: Status) -> Status {
    let (code, text) = match status.code() {
        code if code.is_verdict() => {
            let name = code.name();
            let text = format!(
                "call credentials: illegal status {name}: {}",
                status.message()
            );
            (Code::Internal, text)
        }
        code => (code, format!("call credentials: {}", status.message())),
    };
    Status::new(code, text)
        .with_phase(Phase::Call)
        .with_source(status)
}

fn unencrypted() -> Status {
    let text = "call credentials are not sent over a connection without encryption, where others \
                could read and use them: give the channel ChannelCredentials::tls(), or, where \
                they cannot leak, call CallCredentials::allow_unencrypted()";
    Status::new(Code::Unauthenticated, text).with_phase(Phase::Call)
}

/// What tokens are made out to: gRPC's `service_url`.
fn service_url(authority: &str, method: Method) -> String {
    let host = authority.strip_suffix(":443").unwrap_or(authority);
    format!("https://{host}/{}", method.service())
}
