//! Credentials of a call, added before it waits for a connection. It must never
//! let them onto a connection that others can read.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use super::background;
use super::handle::Channel;
use super::open::{Open, closed, expired};
use crate::clock;
use crate::credentials::{AuthRequest, CallCredentials};
use crate::method::Method;
use crate::status::{Code, Phase, Status};

/// Starts a call with these credentials, or fails it.
pub(super) fn authenticate(channel: &Channel, mut open: Open, credentials: CallCredentials) {
    if credentials.needs_encryption() && !channel.is_encrypted() {
        return open.fail(unencrypted(), clock::now());
    }
    if credentials.add_fixed(&mut open.options.metadata) {
        return channel.enqueue(open);
    }
    let runtime = match background::handle() {
        Ok(runtime) => runtime,
        Err(status) => return open.fail(status, clock::now()),
    };
    let state = Arc::clone(&open.state);
    let task = runtime.spawn(make(channel.clone(), open, credentials));
    state.prepare(task.abort_handle());
}

/// Dropped when the call ends meanwhile.
async fn make(channel: Channel, mut open: Open, credentials: CallCredentials) {
    let request = AuthRequest {
        service_url: service_url(channel.authority(), open.method),
        method: open.method,
    };
    let mut metadata = std::mem::take(&mut open.options.metadata);
    let making = unless_closed(&channel, async {
        let added = credentials.add(&request, &mut metadata).await;
        added.map_err(failed)
    });
    let made = match open.options.deadline {
        Some(deadline) => {
            let made = tokio::time::timeout_at(deadline.into(), making).await;
            made.unwrap_or_else(|_| Err(expired()))
        }
        None => making.await,
    };
    open.options.metadata = metadata;
    match made {
        Ok(()) => channel.enqueue(open),
        Err(status) => open.fail(status, clock::now()),
    }
}

/// Makes credentials until the channel is closed. A source's panic ends its call
/// alone.
async fn unless_closed(
    channel: &Channel,
    making: impl Future<Output = Result<(), Status>>,
) -> Result<(), Status> {
    let mut making = pin!(making);
    let mut closing = pin!(channel.connectivity().closed());
    poll_fn(|cx| {
        if closing.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(closed()));
        }
        let polled = catch_unwind(AssertUnwindSafe(|| making.as_mut().poll(cx)));
        polled.unwrap_or_else(|_| {
            let text = "call credentials: their source panicked";
            let status = Status::new(Code::Internal, text);
            Poll::Ready(Err(status.with_phase(Phase::Call)))
        })
    })
    .await
}

/// What a source fails with is seen as the call's own status, so it must not look
/// like a server's verdict on the request (gRFC A54).
fn failed(status: Status) -> Status {
    let (code, text) = match status.code() {
        code @ (Code::Ok
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::OutOfRange
        | Code::DataLoss) => {
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
