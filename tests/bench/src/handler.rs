//! What every Rust peer's handlers do, and what every client checks: written
//! once, so that the peers differ by what surrounds it alone.

use std::time::{Duration, Instant};

use crate::Error;
use crate::load::Task;

/// What requests carry.
pub const NAME: &str = "World";
/// What is answered to [`NAME`].
pub const TEXT: &str = "Hello, World!";

const WORK: Duration = Duration::from_micros(200);
const WAIT: Duration = Duration::from_millis(1);

pub fn greeting(name: &str) -> String {
    format!("Hello, {name}!")
}

/// What a handler does before it answers.
pub async fn prepare(task: Task) {
    match task {
        Task::Yield => tokio::task::yield_now().await,
        Task::Sleep => tokio::time::sleep(WAIT).await,
        Task::Spin => {
            let end = Instant::now() + WORK;
            while Instant::now() < end {
                std::hint::spin_loop();
            }
        }
        _ => {}
    }
}

/// Whether a reply is the one that belongs to [`NAME`].
pub fn check(text: &str) -> Result<(), Error> {
    if text == TEXT {
        Ok(())
    } else {
        Err(format!("the reply was '{text}'").into())
    }
}

/// Whether as many came as were meant to.
pub fn check_count(came: usize, wanted: usize) -> Result<(), Error> {
    if came == wanted {
        Ok(())
    } else {
        Err(format!("{came} came instead of {wanted}").into())
    }
}
