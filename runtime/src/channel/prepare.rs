//! Runs a call's interceptors and credentials before the call is queued for a connection.
//! Steps that need not wait run on the caller's thread, the others in a task, which ends
//! with the call or the channel.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use super::authenticate::{add_at_hand, add_made};
use super::background;
use super::call::interceptor::{ClientInterceptors, OutgoingCall};
use super::call::open_call::{OpenCall, closed, expired};
use super::shared::ChannelShared;
use crate::clock;
use crate::credentials::CallCredentials;
use crate::status::{Code, Phase, Status};

/// Starts a call that has interceptors or credentials, or fails it.
pub(super) fn prepare(
    channel: &Arc<ChannelShared>,
    interceptors: &ClientInterceptors,
    mut open: Box<OpenCall>,
    credentials: Option<CallCredentials>,
) {
    if interceptors.is_empty()
        && let Some(credentials) = &credentials
    {
        match add_at_hand(channel, &mut open, credentials) {
            Ok(true) => return channel.begin(open, true),
            Ok(false) => {}
            Err(status) => return open.fail(status, clock::now()),
        }
    }
    let runtime = match background::handle(false) {
        Ok(runtime) => runtime,
        Err(status) => return open.fail(status, clock::now()),
    };
    let state = Arc::clone(&open.state);
    let mut preparing = Box::pin(run(
        Arc::clone(channel),
        interceptors.clone(),
        open,
        credentials,
    ));
    let first = {
        // Timers and tasks that these steps create belong to that runtime. The waker does
        // nothing, since a step that waits is polled again by its own task.
        let _entered = runtime.enter();
        let mut context = Context::from_waker(Waker::noop());
        preparing.as_mut().poll(&mut context)
    };
    if first.is_pending() {
        let task = runtime.spawn(preparing);
        state.prepare(task.abort_handle());
    }
}

/// Runs in a task, which is aborted if the call ends before it is prepared.
async fn run(
    channel: Arc<ChannelShared>,
    interceptors: ClientInterceptors,
    open: Box<OpenCall>,
    credentials: Option<CallCredentials>,
) {
    let mut call = OutgoingCall {
        open,
        authority: Arc::clone(&channel.identity().authority),
    };
    let ready = get_ready(&channel, &interceptors, &mut call, credentials).await;
    match ready {
        Ok(()) => channel.begin(call.open, true),
        Err(status) => call.open.fail(status, clock::now()),
    }
}

async fn get_ready(
    channel: &ChannelShared,
    interceptors: &ClientInterceptors,
    call: &mut OutgoingCall,
    credentials: Option<CallCredentials>,
) -> Result<(), Status> {
    for index in 0..interceptors.len() {
        let deadline = call.open.options.deadline;
        let intercepted = interceptors.start(index, call);
        within(channel, deadline, "an interceptor panicked", intercepted).await?;
    }
    let Some(credentials) = credentials else {
        return Ok(());
    };
    let open = &mut call.open;
    if add_at_hand(channel, open, &credentials)? {
        return Ok(());
    }
    let deadline = open.options.deadline;
    let panicked = "call credentials: their source panicked";
    let made = add_made(channel, open, &credentials);
    within(channel, deadline, panicked, made).await
}

/// Runs a step of the user's until the deadline, or until the channel is closed. A panic of
/// the step fails only its call.
async fn within(
    channel: &ChannelShared,
    deadline: Option<Instant>,
    panicked: &'static str,
    step: impl Future<Output = Result<(), Status>>,
) -> Result<(), Status> {
    let mut step = pin!(step);
    let mut poll = |cx: &mut Context<'_>| {
        let polled = catch_unwind(AssertUnwindSafe(|| step.as_mut().poll(cx)));
        polled.unwrap_or_else(|_| {
            let status = Status::new(Code::Internal, panicked);
            Poll::Ready(Err(status.with_phase(Phase::Call)))
        })
    };
    // Most steps do not wait, and need neither a timer nor the channel's state.
    if let Poll::Ready(done) = poll_fn(|cx| Poll::Ready(poll(cx))).await {
        return done;
    }
    let connectivity = channel.outlook.connectivity();
    let mut closing = pin!(connectivity.closed());
    let rest = poll_fn(|cx| {
        if closing.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(closed()));
        }
        poll(cx)
    });
    match deadline {
        Some(deadline) => tokio::time::timeout_at(clock::timer(deadline), rest)
            .await
            .unwrap_or_else(|_| Err(expired())),
        None => rest.await,
    }
}
