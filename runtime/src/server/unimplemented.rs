//! What answers a method that the server does not have, where interceptors stand
//! around all there is. It must never look at a message.

use super::context::Context;
use super::handler::{Invocation, Route};
use crate::call::command::Finished;
use crate::method::Method;
use crate::status::Status;

/// The answer, which goes along with its call: it names what was asked for, and
/// the route is the same for all.
#[derive(Debug)]
pub(super) struct Unimplemented(pub(super) Status);

pub(super) fn route() -> Route {
    Route::new(Method::UNKNOWN, Box::new(handle))
}

fn handle(invocation: Invocation) -> super::handler::HandlerFuture {
    Box::pin(async move { answer(invocation.context) })
}

fn answer(mut context: Context) -> Finished {
    let answer = context.extensions_mut().remove();
    let unnamed = || Status::unimplemented("the request names no method");
    let status = answer.map_or_else(unnamed, |Unimplemented(status)| status);
    Finished {
        result: Err(status),
        message: None,
        envelope: Some(context.into_envelope()),
    }
}
