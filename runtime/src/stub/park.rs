//! Waiting for a future on a thread that runs no task of a single-threaded runtime.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::coop::consume_budget;

use crate::status::{Code, Phase, Status};

/// The budget that tokio gives a task before it asks it to yield. With a larger number
/// tokio itself would panic here, and the panic hook would report that.
const BUDGET: usize = 128;

/// Blocks this thread until `future` is ready. On a worker of a multi-threaded runtime,
/// tokio moves the worker's other tasks away first. On a single-threaded runtime there is
/// no other thread for them, so it returns an error.
pub(super) fn block_on<F: Future>(future: F) -> Result<F::Output, Status> {
    match Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Err(_) => Ok(park_on(future)),
        Ok(RuntimeFlavor::CurrentThread) if is_in_task() => Err(refused()),
        Ok(_) => park_in_place(future),
    }
}

/// Whether this thread runs a task of a runtime. A task has a budget, a thread of
/// `spawn_blocking` has none. tokio only reveals whether the budget is used up, so this
/// uses up the rest of it: the task yields at its next `await`.
fn is_in_task() -> bool {
    let mut context = Context::from_waker(Waker::noop());
    (0..=BUDGET).any(|_| pin!(consume_budget()).poll(&mut context).is_pending())
}

/// Blocks a worker or a thread of `spawn_blocking`. It returns an error on a thread that
/// runs a `LocalSet` or an `unconstrained` task of a single-threaded runtime, whose other
/// tasks cannot be moved away: tokio reports that only by a panic.
fn park_in_place<F: Future>(future: F) -> Result<F::Output, Status> {
    let mut begun = false;
    let parked = catch_unwind(AssertUnwindSafe(|| {
        tokio::task::block_in_place(|| {
            begun = true;
            park_on(future)
        })
    }));
    match parked {
        Ok(output) => Ok(output),
        Err(panic) if begun => resume_unwind(panic),
        Err(_) => Err(refused()),
    }
}

fn refused() -> Status {
    let text = "wait() would block the only thread of this tokio runtime or LocalSet, and with it \
                the call's own connection: use .await here, or call it from a std::thread";
    Status::new(Code::Internal, text).with_phase(Phase::Call)
}

fn park_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}
