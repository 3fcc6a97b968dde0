//! The calls that run at a server, by an interceptor around its handlers.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use grpc_runtime::{Context, Next, Outcome, PeerAddress, ServerInterceptor};
use tokio::time::Instant;

use crate::leftovers::Leftovers;

/// Knows the calls that run at a server, for [`no_leftovers`](crate::no_leftovers).
/// Clones are the same. Servers on a [`Network`](crate::Network) have one already.
///
/// It is an interceptor: add it first, so that it also sees calls that other interceptors
/// delay.
///
/// For tests of limits it has the number of [`running`](Self::running) calls, and the
/// [`most`](Self::most) that ran at once.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
///
/// use grpc_runtime::Server;
/// use grpc_testing::{CallWatch, no_leftovers};
///
/// let watch = CallWatch::default();
/// let server = Server::builder().interceptor(watch.clone());
/// // Calls come and go …
/// # drop(server);
/// no_leftovers(&watch, Duration::from_secs(1)).await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct CallWatch(Arc<Mutex<Running>>);

#[derive(Debug, Default)]
struct Running {
    next: u64,
    calls: BTreeMap<u64, Call>,
    most: usize,
}

#[derive(Debug)]
struct Call {
    path: Box<str>,
    peer: PeerAddress,
    began: Instant,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, peer, took) = (&self.path, &self.peer, self.began.elapsed());
        write!(f, "call {path} from {peer}, for {took:?}")
    }
}

impl CallWatch {
    /// How many calls run now.
    pub fn running(&self) -> usize {
        self.lock().calls.len()
    }

    /// How many calls ran at once, at the most.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    ///
    /// use grpc_runtime::{Channel, Method, UnaryCall};
    /// use grpc_testing::{CallWatch, Reply, Script};
    ///
    /// const GET: Method = Method::unary("/shop.Orders/Get");
    ///
    /// let slow = Reply::message(&"a book".to_owned()).delay(Duration::from_secs(1));
    /// let (script, watch) = (Script::new().on(GET.path(), slow), CallWatch::default());
    /// let channel = Channel::in_process(script.server().interceptor(watch.clone()))?;
    /// let get = || UnaryCall::<String>::new(&channel, GET, &()).response();
    /// let (one, two) = tokio::join!(get(), get());
    /// (one?, two?);
    /// get().await?;
    /// assert_eq!((watch.most(), watch.running()), (2, 0));
    /// # Ok(())
    /// # }
    /// ```
    pub fn most(&self) -> usize {
        self.lock().most
    }

    fn lock(&self) -> MutexGuard<'_, Running> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ServerInterceptor for CallWatch {
    async fn intercept(&self, context: &mut Context, mut next: Next<'_>) -> Outcome {
        let call = Call {
            path: context.path().into(),
            peer: context.peer().clone(),
            began: Instant::now(),
        };
        let key = {
            let mut running = self.lock();
            running.next += 1;
            let key = running.next;
            running.calls.insert(key, call);
            running.most = running.most.max(running.calls.len());
            key
        };
        let watch = self.clone();
        next.on_end(move |_| {
            watch.lock().calls.remove(&key);
        });
        next.run(context).await
    }
}

/// The calls whose handlers have not ended.
impl Leftovers for CallWatch {
    fn leftovers(&self) -> Vec<String> {
        let running = self.lock();
        running.calls.values().map(ToString::to_string).collect()
    }
}
