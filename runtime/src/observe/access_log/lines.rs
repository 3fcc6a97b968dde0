//! Passes lines to a writer that may be slow: a bounded buffer, and a thread that empties
//! it. Adding a line does not wait for the writer.

use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// The most bytes that wait for the writer.
pub(super) const BUFFER: usize = 1 << 20;
/// A buffer that has grown beyond this is not reused.
const KEPT: usize = 64 << 10;
/// How long the last owner waits until all lines are written.
const PATIENCE: Duration = Duration::from_secs(1);

/// The owners' end. Dropping it waits up to [`PATIENCE`] until all lines are written.
pub(super) struct Lines(Arc<SharedLines>);

struct SharedLines {
    state: Mutex<LinesState>,
    /// Wakes the thread: there are lines, or the owners are gone.
    changed: Condvar,
    /// The thread has ended.
    ended: Condvar,
    /// Makes a line of how many are lost.
    lost_line: fn(u64) -> String,
}

struct LinesState {
    text: String,
    /// The lines in `text`.
    number: u64,
    /// Lost lines that have not been reported yet.
    lost: u64,
    /// Present until the thread takes it.
    writer: Option<Box<dyn Write + Send>>,
    has_thread: bool,
    /// The owners are gone: the thread writes the remaining lines and ends.
    leaves: bool,
    is_over: bool,
}

impl SharedLines {
    fn state(&self) -> MutexGuard<'_, LinesState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lines {
    pub(super) fn new(writer: impl Write + Send + 'static, lost_line: fn(u64) -> String) -> Self {
        Self(Arc::new(SharedLines {
            state: Mutex::new(LinesState {
                text: String::new(),
                number: 0,
                lost: 0,
                writer: Some(Box::new(writer)),
                has_thread: false,
                leaves: false,
                is_over: false,
            }),
            changed: Condvar::new(),
            ended: Condvar::new(),
            lost_line,
        }))
    }

    /// Adds a line, with its line end, or counts it as lost if there is no room.
    pub(super) fn add(&self, line: &str) {
        let mut state = self.0.state();
        if state.text.len() + line.len() > BUFFER {
            state.lost += 1;
            return;
        }
        let was_empty = state.text.is_empty();
        state.text.push_str(line);
        state.number += 1;
        if !state.has_thread {
            state.has_thread = begin(&self.0);
        } else if was_empty {
            drop(state);
            self.0.changed.notify_one();
        }
    }
}

/// Starts the thread; `false` if that failed, and then the next line tries again.
#[cold]
fn begin(shared: &Arc<SharedLines>) -> bool {
    let shared = Arc::clone(shared);
    let thread = thread::Builder::new().name("grpc-access-log".to_owned());
    thread.spawn(move || run(&shared)).is_ok()
}

fn run(shared: &SharedLines) {
    let mut state = shared.state();
    let Some(mut writer) = state.writer.take() else {
        return;
    };
    loop {
        // Without other lines, lost lines are reported at the end only: otherwise a writer
        // that fails would be called in a loop.
        if state.text.is_empty() && !(state.leaves && state.lost > 0) {
            if state.leaves {
                break;
            }
            let woken = shared.changed.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
            continue;
        }
        let text = std::mem::take(&mut state.text);
        let number = std::mem::take(&mut state.number);
        let lost = std::mem::take(&mut state.lost);
        let leaves = state.leaves;
        drop(state);
        let written = write(&mut *writer, &text, lost, shared.lost_line);
        state = shared.state();
        if written.is_err() && !leaves {
            state.lost += number + lost;
        }
        if state.text.is_empty() && text.capacity() <= KEPT {
            state.text = text;
            state.text.clear();
        }
    }
    state.is_over = true;
    drop(state);
    shared.ended.notify_all();
}

fn write(
    writer: &mut (dyn Write + Send),
    text: &str,
    lost: u64,
    lost_line: fn(u64) -> String,
) -> io::Result<()> {
    let write = AssertUnwindSafe(|| {
        writer.write_all(text.as_bytes())?;
        if lost > 0 {
            writer.write_all(lost_line(lost).as_bytes())?;
        }
        writer.flush()
    });
    // The panic hook has reported the panic.
    catch_unwind(write).unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))
}

impl Drop for Lines {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.leaves = true;
        if state.has_thread {
            self.0.changed.notify_one();
            let wait = self
                .0
                .ended
                .wait_timeout_while(state, PATIENCE, |it| !it.is_over);
            drop(wait.unwrap_or_else(PoisonError::into_inner));
        }
    }
}
