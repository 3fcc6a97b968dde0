//! The answer to a method that the server does not have, as a route, so that interceptors see
//! such calls.

use super::context::{Context, Unknown};
use super::handler::{Invocation, Route};
use crate::call::command::Finished;
use crate::method::Method;
use crate::status::Status;

pub(super) fn route() -> Route {
    Route::new(Method::UNKNOWN, Box::new(handle))
}

fn handle(invocation: Invocation) -> super::handler::HandlerFuture {
    Box::pin(async move { answer(invocation.context) })
}

fn answer(context: Context) -> Finished {
    let answer = context.extensions().get();
    let unnamed = || Status::unimplemented("the request names no method");
    let status = answer.map_or_else(unnamed, |Unknown { status, .. }| status.clone());
    Finished {
        result: Err(status),
        message: None,
        envelope: Some(context.into_envelope()),
    }
}
