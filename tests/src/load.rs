//! What a load client is asked for, and what it prints: the flags, the streams that repeat calls
//! until the time is up or all are made, and the line of JSON at the end.

use std::fmt;
use std::future::Future;
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::flags::{FlagError, Flags};

/// What a call may take after the time is up, before it counts as stuck.
const PATIENCE: Duration = Duration::from_secs(20);

/// The kinds of calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// `StreamingOutputCall`.
    Download,
    /// `StreamingInputCall`.
    Upload,
    /// `FullDuplexCall`: a response for each request, and nobody waits for it.
    Bidi,
    /// `UnaryCall`, with as many bytes each way.
    Unary,
}

impl FromStr for Work {
    type Err = FlagError;

    fn from_str(name: &str) -> Result<Self, FlagError> {
        match name {
            "download" => Ok(Self::Download),
            "upload" => Ok(Self::Upload),
            "bidi" => Ok(Self::Bidi),
            "unary" => Ok(Self::Unary),
            _ => Err("neither download, upload, bidi nor unary".to_owned()),
        }
    }
}

/// What the flags ask for.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// `--work`.
    pub work: Work,
    /// `--size`: the bytes of a message's body.
    pub size: usize,
    /// `--messages`: how many a call has.
    pub messages: usize,
    /// `--streams`: how many calls there are at once.
    pub streams: usize,
    /// `--seconds`: how long new calls begin.
    pub seconds: u64,
    /// `--calls`: how many there are in all, and then no more begin; with 0 only
    /// the time ends them.
    pub calls: usize,
    /// `--cancel_every`: each call of that number is dropped after its first
    /// message; none with 0.
    pub cancel_every: usize,
}

impl Load {
    /// # Errors
    /// A value is not one of its kind, or the flags contradict each other.
    pub fn take(flags: &mut Flags) -> Result<Self, FlagError> {
        let load = Self {
            work: flags.take("work", Work::Download)?,
            size: flags.take("size", 1024)?,
            messages: flags.take("messages", 1000)?,
            streams: flags.take("streams", 1)?,
            seconds: flags.take("seconds", 5)?,
            calls: flags.take("calls", 0)?,
            cancel_every: flags.take("cancel_every", 0)?,
        };
        if load.work == Work::Unary && load.cancel_every > 0 {
            return Err("--cancel_every: a unary call has no first message".to_owned());
        }
        Ok(load)
    }

    /// How long a call may take, at the longest.
    pub fn bound(&self) -> Duration {
        Duration::from_secs(self.seconds) + PATIENCE
    }

    /// The size as the contract has it, which knows none larger.
    pub fn response_size(&self) -> i32 {
        i32::try_from(self.size).unwrap_or(i32::MAX)
    }

    /// Calls until the time is up, `streams` at once, and tells how that went.
    ///
    /// `call` makes one call, and is told whether to drop it after its first message.
    /// A stream ends with its first failure, since most failures are the
    /// connection's, and a thousand more would say nothing new.
    pub async fn run<F, C>(self, call: F) -> ExitCode
    where
        F: Fn(bool) -> C + Send + Sync + 'static,
        C: Future<Output = Result<Carried, Failure>> + Send,
    {
        let began = Instant::now();
        let call = Arc::new(call);
        let begun = Arc::new(AtomicUsize::new(0));
        let mut streams = JoinSet::new();
        for _ in 0..self.streams {
            let (call, begun) = (Arc::clone(&call), Arc::clone(&begun));
            streams.spawn(async move { self.repeat(began, &begun, &*call).await });
        }
        let mut tally = Tally::default();
        while let Some(stream) = streams.join_next().await {
            match stream {
                Ok(stream) => tally.add(stream),
                Err(panic) => tally.failures.push(panic.to_string()),
            }
        }
        tally.tell(began.elapsed())
    }

    async fn repeat<F, C>(self, began: Instant, begun: &AtomicUsize, call: &F) -> Tally
    where
        F: Fn(bool) -> C,
        C: Future<Output = Result<Carried, Failure>>,
    {
        let mut tally = Tally::default();
        while began.elapsed() < Duration::from_secs(self.seconds) {
            let number = begun.fetch_add(1, Ordering::Relaxed) + 1;
            if self.calls > 0 && number > self.calls {
                break;
            }
            let cancel = self.cancel_every > 0 && number.is_multiple_of(self.cancel_every);
            let end = tokio::time::timeout(self.bound(), call(cancel)).await;
            tally.calls += 1;
            match end.unwrap_or_else(|_| Err("the call did not end".into())) {
                Ok(carried) => {
                    tally.cancelled += u64::from(cancel);
                    tally.messages += carried.messages;
                    tally.bytes += carried.bytes;
                }
                Err(failure) => {
                    tally.failures.push(format!("call {number}: {failure}"));
                    break;
                }
            }
        }
        tally
    }
}

/// Why a call did not end as it should.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What came with one call, or went where nothing comes back.
#[derive(Clone, Copy, Debug, Default)]
pub struct Carried {
    /// Messages, of the direction that the work is about.
    pub messages: u64,
    /// The bytes of their bodies.
    pub bytes: u64,
}

impl Carried {
    /// Counts a message.
    ///
    /// # Errors
    /// It has not the size that was asked for.
    pub fn count(&mut self, size: usize, expected: usize) -> Result<(), Failure> {
        if size != expected {
            return Err(format!("a message of {size} bytes came, not of {expected}").into());
        }
        self.messages += 1;
        self.bytes += size as u64;
        Ok(())
    }

    /// What this is at the end of a call.
    ///
    /// # Errors
    /// It is not what was asked for.
    pub fn whole(self, load: &Load) -> Result<Self, Failure> {
        if self.messages != load.messages as u64 {
            let Self { messages, .. } = self;
            return Err(format!("{messages} of {} messages came", load.messages).into());
        }
        Ok(self)
    }

    /// A failure's text, with how far the call had come.
    pub fn failure(self, cause: impl fmt::Display) -> Failure {
        format!("{cause}, after {} messages", self.messages).into()
    }

    /// All that an upload carried.
    ///
    /// # Errors
    /// The server counted another sum.
    pub fn uploaded(load: &Load, aggregated_payload_size: i32) -> Result<Self, Failure> {
        let all = load.size * load.messages;
        if usize::try_from(aggregated_payload_size) != Ok(all) {
            return Err(format!("{aggregated_payload_size} of {all} bytes came").into());
        }
        Ok(Self {
            messages: load.messages as u64,
            bytes: all as u64,
        })
    }
}

#[derive(Debug, Default)]
struct Tally {
    calls: u64,
    cancelled: u64,
    messages: u64,
    bytes: u64,
    failures: Vec<String>,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.cancelled += other.cancelled;
        self.messages += other.messages;
        self.bytes += other.bytes;
        self.failures.extend(other.failures);
    }

    fn tell(self, elapsed: Duration) -> ExitCode {
        let line = serde_json::json!({
            "calls": self.calls,
            "cancelled": self.cancelled,
            "messages": self.messages,
            "bytes": self.bytes,
            "seconds": elapsed.as_secs_f64(),
            "failures": self.failures,
        });
        println!("{line}");
        if self.failures.is_empty() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}
