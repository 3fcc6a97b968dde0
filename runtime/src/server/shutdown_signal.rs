//! The signals by which an operating system tells a program to stop, as a future.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

/// Waits until the process is told to stop: by SIGTERM, as service managers and Kubernetes
/// send it, or by Ctrl-C (SIGINT); on Windows by Ctrl-C, Ctrl-Break, the closing of the
/// console, or the end of the session. For [`ServerBuilder::serve_until`] and
/// [`Server::shutdown_when`].
///
/// From this call on, polled or not, these signals no longer end the process: the caller has
/// to. Call it before the server starts; otherwise a signal between the two ends the process
/// and cuts running calls. A second signal has no effect; a shutdown is bounded by its
/// notice and grace, and SIGKILL still works. If the system refuses to register a signal,
/// that signal ends the process as before.
///
/// ```no_run
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
///
/// use grpc_runtime::{Server, shutdown_signal};
///
/// let told_to_end = shutdown_signal();
/// let server = Server::builder().listen("[::]:50051").start().await?;
/// println!("listening on {}", server.addresses()[0]);
/// server.shutdown_when(told_to_end, Duration::from_secs(20)).await;
/// # Ok(())
/// # }
/// ```
///
/// # Panics
/// If it is called outside of a tokio runtime that [drives I/O], as all that waits for the
/// system does.
///
/// [drives I/O]: tokio::runtime::Builder::enable_io
/// [`ServerBuilder::serve_until`]: crate::ServerBuilder::serve_until
/// [`Server::shutdown_when`]: crate::Server::shutdown_when
pub fn shutdown_signal() -> impl Future<Output = ()> + Send + 'static {
    let mut signals = signals();
    poll_fn(move |cx| {
        let mut polled = signals.iter_mut().map(|signal| signal.as_mut().poll(cx));
        if polled.any(|polled| polled.is_ready()) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
}

type Told = Pin<Box<dyn Future<Output = ()> + Send>>;

/// One future for each signal; those that the system refuses to register are left out.
#[cfg(unix)]
fn signals() -> Vec<Told> {
    use tokio::signal::unix::{SignalKind, signal};

    [SignalKind::terminate(), SignalKind::interrupt()]
        .into_iter()
        .filter_map(|kind| signal(kind).ok())
        .map(|mut signal| -> Told {
            Box::pin(async move {
                let _ = signal.recv().await;
            })
        })
        .collect()
}

#[cfg(windows)]
fn signals() -> Vec<Told> {
    use tokio::signal::windows;

    let mut signals: Vec<Told> = Vec::new();
    if let Ok(mut signal) = windows::ctrl_c() {
        signals.push(Box::pin(async move {
            let _ = signal.recv().await;
        }));
    }
    if let Ok(mut signal) = windows::ctrl_break() {
        signals.push(Box::pin(async move {
            let _ = signal.recv().await;
        }));
    }
    if let Ok(mut signal) = windows::ctrl_close() {
        signals.push(Box::pin(async move {
            let _ = signal.recv().await;
        }));
    }
    if let Ok(mut signal) = windows::ctrl_shutdown() {
        signals.push(Box::pin(async move {
            let _ = signal.recv().await;
        }));
    }
    signals
}
