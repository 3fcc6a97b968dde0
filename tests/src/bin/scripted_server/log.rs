//! All attempts that arrived, and how each ended.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use grpc_runtime::{Code, Context, Status};
use serde::Serialize;

use crate::script::Step;

/// What is told of one attempt.
#[derive(Debug, Serialize)]
struct Entry {
    call: String,
    /// The number of the server that had it.
    server: usize,
    /// What `grpc-previous-rpc-attempts` says.
    previous: Option<String>,
    /// When it came, in milliseconds since the server's start.
    at_ms: u128,
    /// How many of its requests were read.
    requests: usize,
    /// The name of its code; none where its caller left before that.
    end: Option<&'static str>,
}

#[derive(Debug)]
pub(crate) struct Log {
    began: Instant,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    entries: Vec<Entry>,
    /// How many attempts each call has had.
    counts: HashMap<String, usize>,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            seen: Mutex::default(),
        }
    }
}

impl Log {
    fn change<T>(&self, change: impl FnOnce(&mut Seen) -> T) -> T {
        change(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// An attempt has come; the last step of a script is that of all that follow.
    ///
    /// # Errors
    /// The call carries no script.
    pub(crate) fn begin(
        self: &Arc<Self>,
        context: &Context,
        server: usize,
    ) -> Result<Attempt, Status> {
        let steps = Step::all(context)?;
        let text = |key| context.metadata().get(key).map(str::to_owned);
        let call = text("x-call").unwrap_or_default();
        let entry = Entry {
            call: call.clone(),
            server,
            previous: text("grpc-previous-rpc-attempts"),
            at_ms: self.began.elapsed().as_millis(),
            requests: 0,
            end: None,
        };
        let (place, before) = self.change(|seen| {
            seen.entries.push(entry);
            let count = seen.counts.entry(call).or_default();
            *count += 1;
            (seen.entries.len() - 1, *count - 1)
        });
        let step = steps.into_iter().take(before + 1).next_back();
        Ok(Attempt {
            log: Arc::clone(self),
            place,
            server,
            step: step.unwrap_or_default(),
        })
    }

    /// # Errors
    /// None is known.
    pub(crate) fn line(&self) -> serde_json::Result<String> {
        self.change(|seen| serde_json::to_string(&seen.entries))
    }
}

/// One attempt that runs.
pub(crate) struct Attempt {
    log: Arc<Log>,
    place: usize,
    pub(crate) server: usize,
    pub(crate) step: Step,
}

impl Attempt {
    fn tell(&self, change: impl FnOnce(&mut Entry)) {
        self.log
            .change(|seen| change(&mut seen.entries[self.place]));
    }

    /// A request has been read.
    pub(crate) fn has_read(&self) {
        self.tell(|entry| entry.requests += 1);
    }

    /// It ends as the step says.
    pub(crate) fn end(&self) -> Result<(), Status> {
        let end = self.step.status();
        let code = end.as_ref().err().map_or(Code::Ok, Status::code);
        self.tell(|entry| entry.end = Some(code.name()));
        end
    }
}
