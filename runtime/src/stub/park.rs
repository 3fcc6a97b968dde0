//! Waiting for a future on a thread. It must never block a thread that a runtime
//! needs.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use tokio::runtime::{Handle, RuntimeFlavor};

use crate::status::{Code, Phase, Status};

/// Blocks this thread until `future` is ready. On a worker of a multi-threaded
/// runtime its other tasks are moved away first; on a single-threaded runtime
/// there is nowhere to move them, and that is an error.
pub(super) fn block_on<F: Future>(future: F) -> Result<F::Output, Status> {
    match Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Err(_) => Ok(park_on(future)),
        Ok(RuntimeFlavor::MultiThread) => park_in_place(future),
        Ok(_) => Err(refused()),
    }
}

/// Blocks a worker, unless it runs a `LocalSet`, whose other tasks cannot be moved
/// away: tokio tells of that by a panic alone.
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
