//! The assertion that a test leaves nothing behind.

use std::future::Future;
use std::panic::Location;
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// The interval between two looks at the leftovers.
const STEP: Duration = Duration::from_millis(1);

/// Lists calls and connections that have not ended. Implemented by
/// [`Network`](crate::Network), [`Script`](crate::Script) and
/// [`CallWatch`](crate::CallWatch); implement it for your own types too.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// use grpc_testing::{Leftovers, no_leftovers};
///
/// /// What hangs on to it is left over.
/// struct Shared(Arc<()>);
///
/// impl Leftovers for Shared {
///     fn leftovers(&self) -> Vec<String> {
///         let others = Arc::strong_count(&self.0) - 1;
///         (0..others).map(|_| "a clone of the cache".to_owned()).collect()
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// no_leftovers(&Shared(Arc::default()), Duration::from_secs(1)).await;
/// # }
/// ```
pub trait Leftovers {
    /// A line for each of them, as a failed assertion prints it.
    fn leftovers(&self) -> Vec<String>;
}

/// Waits until nothing is left, for up to `within` of tokio's time.
///
/// A channel keeps its connections until all its clones are dropped: drop them first.
///
/// # Panics
/// If something is left then. The text names it.
///
/// ```should_panic
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
///
/// use grpc_runtime::{Channel, Method, UnaryCall};
/// use grpc_testing::{Reply, Script, no_leftovers};
///
/// const GET: Method = Method::unary("/shop.Orders/Get");
///
/// let script = Script::new().on(GET.path(), Reply::hang());
/// let channel = Channel::in_process(script.server())?;
/// let call = tokio::spawn(UnaryCall::<String>::new(&channel, GET, &()).response());
/// script.received(1).await;
/// // left over after 1s (…): call /shop.Orders/Get from in-process, for 1s
/// no_leftovers(&script, Duration::from_secs(1)).await;
/// # drop(call);
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn no_leftovers<L: Leftovers + ?Sized>(
    watched: &L,
    within: Duration,
) -> impl Future<Output = ()> {
    let asserted = Location::caller();
    async move {
        let began = Instant::now();
        loop {
            let left = watched.leftovers();
            if left.is_empty() {
                return;
            }
            assert!(
                began.elapsed() < within,
                "left over after {within:?} ({asserted}):\n  {}",
                left.join("\n  ")
            );
            sleep(STEP.min(within)).await;
        }
    }
}
