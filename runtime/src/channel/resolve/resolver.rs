//! The trait for a program's own resolvers.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use super::updates::Updates;
use crate::channel::target::Target;

/// Finds the servers of a target and reports every change.
///
/// [`ChannelBuilder::resolver`](crate::ChannelBuilder::resolver) adds a resolver to a
/// channel, which then accepts targets of its scheme: `zoo:///cats` for the scheme `zoo`.
///
/// It starts with the channel's first call and is dropped with the channel. It runs in the
/// channel's task, so it must not block; blocking work goes through
/// `tokio::task::spawn_blocking`. If it returns or panics, the channel keeps its last
/// result; if there is none, calls fail with `UNAVAILABLE`.
///
/// ```
/// use std::time::Duration;
///
/// use grpc_runtime::{Endpoint, Resolution, Resolver, Status, Target, Updates};
///
/// /// One `ip:port` in each line of a file, read again every 5 s.
/// struct File;
///
/// impl Resolver for File {
///     fn scheme(&self) -> &str {
///         "file"
///     }
///
///     async fn resolve(&self, target: &Target, mut updates: Updates) {
///         loop {
///             let path = target.path().to_owned();
///             let read = tokio::task::spawn_blocking(|| std::fs::read_to_string(path));
///             let found = match read.await.unwrap_or_else(|error| Err(error.into())) {
///                 Ok(text) => {
///                     let lines = text.lines().filter_map(|line| line.parse().ok());
///                     Resolution::new(lines.map(|address: std::net::SocketAddr| Endpoint::new(address)))
///                 }
///                 Err(error) => Resolution::failed(Status::from(error)),
///             };
///             // A list that cannot be used is read again as any other is.
///             let _ = updates.send(found).await;
///             tokio::time::sleep(Duration::from_secs(5)).await;
///         }
///     }
/// }
/// ```
pub trait Resolver: Send + Sync + 'static {
    /// The scheme of its targets, in lower case.
    fn scheme(&self) -> &str;

    /// Sends the target's servers to `updates`, at first and after each change.
    fn resolve(&self, target: &Target, updates: Updates) -> impl Future<Output = ()> + Send;
}

/// A [`Resolver`] with its type erased.
pub(crate) trait Resolves: Send + Sync {
    fn scheme_of(&self) -> &str;

    fn resolve_boxed<'a>(
        &'a self,
        target: &'a Target,
        updates: Updates,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;
}

impl<R: Resolver> Resolves for R {
    fn scheme_of(&self) -> &str {
        self.scheme()
    }

    fn resolve_boxed<'a>(
        &'a self,
        target: &'a Target,
        updates: Updates,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(self.resolve(target, updates))
    }
}

impl fmt::Debug for dyn Resolves {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Resolver({})", self.scheme_of())
    }
}
