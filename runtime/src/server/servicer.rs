//! The methods of a servicer as functions of the servicer, the request and the context, one
//! trait for each shape. They are implemented for every such function, so that generated
//! code names its methods and writes no closure.

use std::future::Future;

use super::context::Context;
use crate::call::receiver::Receiver;
use crate::call::sender::Sender;
use crate::status::Status;

/// The return value of a servicer's method: a `Send` future of an `R` or a [`Status`]. An
/// `async fn` that returns `Result<R, Status>` is one, as long as it holds nothing over an
/// `.await` that must stay on its thread.
#[diagnostic::on_unimplemented(
    message = "a servicer's method must be an `async fn` that returns `Result<{R}, Status>`",
    label = "is no future of `Result<{R}, Status>` that may move between threads"
)]
pub trait Answer<R>: Future<Output = Result<R, Status>> + Send {}

impl<R, F: Future<Output = Result<R, Status>> + Send> Answer<R> for F {}

/// A method that takes one message and answers with one.
pub trait UnaryMethod<'a, S: 'a, Q, R>:
    Fn(&'a S, Q, &'a mut Context) -> Self::Answer + Copy + Send + Sync + 'static
{
    /// The method's future.
    type Answer: Answer<R>;
}

impl<'a, S: 'a, Q, R, M, A> UnaryMethod<'a, S, Q, R> for M
where
    M: Fn(&'a S, Q, &'a mut Context) -> A + Copy + Send + Sync + 'static,
    A: Answer<R>,
{
    type Answer = A;
}

/// A method that takes one message and answers with a stream.
pub trait ServerStreamingMethod<'a, S: 'a, Q, R: 'a>:
    Fn(&'a S, Q, &'a mut Sender<R>, &'a mut Context) -> Self::Answer + Copy + Send + Sync + 'static
{
    /// The method's future.
    type Answer: Answer<()>;
}

impl<'a, S: 'a, Q, R: 'a, M, A> ServerStreamingMethod<'a, S, Q, R> for M
where
    M: Fn(&'a S, Q, &'a mut Sender<R>, &'a mut Context) -> A + Copy + Send + Sync + 'static,
    A: Answer<()>,
{
    type Answer = A;
}

/// A method that takes a stream and answers with one message.
pub trait ClientStreamingMethod<'a, S: 'a, Q: 'a, R>:
    Fn(&'a S, &'a mut Receiver<Q>, &'a mut Context) -> Self::Answer + Copy + Send + Sync + 'static
{
    /// The method's future.
    type Answer: Answer<R>;
}

impl<'a, S: 'a, Q: 'a, R, M, A> ClientStreamingMethod<'a, S, Q, R> for M
where
    M: Fn(&'a S, &'a mut Receiver<Q>, &'a mut Context) -> A + Copy + Send + Sync + 'static,
    A: Answer<R>,
{
    type Answer = A;
}

/// A method with a stream each way.
pub trait BidiStreamingMethod<'a, S: 'a, Q: 'a, R: 'a>:
    Fn(&'a S, &'a mut Receiver<Q>, &'a mut Sender<R>, &'a mut Context) -> Self::Answer
    + Copy
    + Send
    + Sync
    + 'static
{
    /// The method's future.
    type Answer: Answer<()>;
}

impl<'a, S: 'a, Q: 'a, R: 'a, M, A> BidiStreamingMethod<'a, S, Q, R> for M
where
    M: Fn(&'a S, &'a mut Receiver<Q>, &'a mut Sender<R>, &'a mut Context) -> A
        + Copy
        + Send
        + Sync
        + 'static,
    A: Answer<()>,
{
    type Answer = A;
}
