//! Races attempts of which one has to succeed (gRFC A61, RFC 8305): each attempt gets a
//! head start over the next.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use tokio::time::Instant;

/// How long an attempt runs alone, as in RFC 8305 and gRFC A61.
const HEAD_START: Duration = Duration::from_millis(250);

/// Starts the attempts one by one: the next one as soon as one fails, or after the head
/// start. The first success ends the others. If none succeeds, returns all errors in the
/// order of the attempts.
pub(super) async fn race<T, E, F>(attempts: impl IntoIterator<Item = F>) -> Result<T, Vec<E>>
where
    F: Future<Output = Result<T, E>>,
{
    let mut to_come = attempts.into_iter().enumerate();
    let mut running: Vec<(usize, Pin<Box<F>>)> = Vec::new();
    let mut failures: Vec<(usize, E)> = Vec::new();
    let mut head_start = pin!(tokio::time::sleep(Duration::ZERO));
    poll_fn(|cx| {
        loop {
            let failed = failures.len();
            let mut place = 0;
            while let Some((number, attempt)) = running.get_mut(place) {
                match attempt.as_mut().poll(cx) {
                    Poll::Ready(Ok(won)) => return Poll::Ready(Ok(won)),
                    Poll::Ready(Err(error)) => {
                        failures.push((*number, error));
                        running.swap_remove(place);
                    }
                    Poll::Pending => place += 1,
                }
            }
            let is_due = failures.len() > failed
                || running.is_empty()
                || head_start.as_mut().poll(cx).is_ready();
            let next = if is_due { to_come.next() } else { None };
            match next {
                Some((number, attempt)) => {
                    running.push((number, Box::pin(attempt)));
                    head_start.as_mut().reset(Instant::now() + HEAD_START);
                }
                None if running.is_empty() => {
                    failures.sort_by_key(|(number, _)| *number);
                    let errors = failures.drain(..).map(|(_, error)| error);
                    return Poll::Ready(Err(errors.collect()));
                }
                None => return Poll::Pending,
            }
        }
    })
    .await
}

#[cfg(test)]
mod tests;
