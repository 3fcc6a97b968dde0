//! Adds a call's credentials before the call waits for a connection. On a connection
//! without encryption the call fails, unless the credentials allow that.

use super::call::open_call::OpenCall;
use super::shared::ChannelShared;
use crate::credentials::{CallCredentials, Callee};
use crate::status::{Code, Phase, Status};

/// Adds credentials that are available at once; `false` for those that must be awaited.
pub(super) fn add_at_hand(
    channel: &ChannelShared,
    open: &mut OpenCall,
    credentials: &CallCredentials,
) -> Result<bool, Status> {
    if credentials.needs_encryption() && !channel.is_encrypted() {
        return Err(unencrypted());
    }
    let callee = Callee::new(&channel.identity().authority, open.method);
    let is_added = credentials.add_at_hand(callee, &mut open.options.metadata);
    if is_added {
        remember(open, credentials);
    }
    Ok(is_added)
}

/// Awaits the credentials and adds them.
pub(super) async fn add_made(
    channel: &ChannelShared,
    open: &mut OpenCall,
    credentials: &CallCredentials,
) -> Result<(), Status> {
    let callee = Callee::new(&channel.identity().authority, open.method);
    let added = credentials.add(callee, &mut open.options.metadata).await;
    remember(open, credentials);
    added.map_err(failed)
}

/// If the server refuses the call, the credentials are told.
fn remember(open: &mut OpenCall, credentials: &CallCredentials) {
    if credentials.hear_refusals() {
        open.options.credentials = Some(credentials.clone());
    }
}

/// An error of a credentials source becomes the call's status, so its code is replaced if
/// only a server may use it (gRFC A54).
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
