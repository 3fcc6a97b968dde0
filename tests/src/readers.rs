//! How an application reads the messages of its calls: as they come, with a pause before each, in
//! bursts, or half of the calls not at all until the others have ended.

use std::future::Future;
use std::pin::pin;
use std::str::FromStr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use crate::flags::FlagError;

const PAUSE: Duration = Duration::from_millis(2);
const BETWEEN_BURSTS: Duration = Duration::from_millis(200);

/// A way to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// At once.
    Prompt,
    /// After a pause before each message.
    Slow,
    /// All that there is, then nothing for a while.
    Bursty,
    /// Every second call reads nothing until all others have ended.
    Absent,
}

impl FromStr for Reader {
    type Err = FlagError;

    fn from_str(name: &str) -> Result<Self, FlagError> {
        match name {
            "prompt" => Ok(Self::Prompt),
            "slow" => Ok(Self::Slow),
            "bursty" => Ok(Self::Bursty),
            "absent" => Ok(Self::Absent),
            _ => Err("neither prompt, slow, bursty nor absent".to_owned()),
        }
    }
}

impl Reader {
    /// Waits as the reader does, and for the message.
    pub async fn read<N: Future>(self, next: N) -> N::Output {
        match self {
            Self::Prompt | Self::Absent => next.await,
            Self::Slow => {
                tokio::time::sleep(PAUSE).await;
                next.await
            }
            Self::Bursty => {
                let mut next = pin!(next);
                tokio::select! {
                    biased;
                    message = &mut next => message,
                    () = std::future::ready(()) => {
                        tokio::time::sleep(BETWEEN_BURSTS).await;
                        next.await
                    }
                }
            }
        }
    }
}

/// All calls of a run, as far as some wait for the others.
#[derive(Debug)]
pub struct Readers {
    reader: Reader,
    begun: AtomicUsize,
    /// Calls that are still to end before the absent ones read.
    present: watch::Sender<usize>,
}

impl Readers {
    /// `calls` are all that will be made; with absent readers they have to fit on
    /// their connection at once.
    pub fn new(reader: Reader, calls: usize) -> Self {
        Self {
            reader,
            begun: AtomicUsize::new(0),
            present: watch::Sender::new(calls.div_ceil(2)),
        }
    }

    /// Where a call that begins now stands.
    pub fn begin(&self) -> Place<'_> {
        let odd = self.begun.fetch_add(1, Ordering::Relaxed) % 2 == 1;
        Place {
            readers: self,
            absent: odd && self.reader == Reader::Absent,
        }
    }
}

/// One call, until it is dropped.
#[derive(Debug)]
pub struct Place<'a> {
    readers: &'a Readers,
    absent: bool,
}

impl Place<'_> {
    /// Waits until the call may read.
    pub async fn ready(&self) -> Reader {
        if self.absent {
            let mut present = self.readers.present.subscribe();
            // It cannot fail, since the sender is borrowed.
            let _ = present.wait_for(|left| *left == 0).await;
        }
        self.readers.reader
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if !self.absent {
            self.readers
                .present
                .send_modify(|left| *left = left.saturating_sub(1));
        }
    }
}
