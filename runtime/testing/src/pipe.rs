//! The state between the two ends of a connection: bytes on their way, and how it ends.
//! Sans-IO: time and delays are arguments, and it returns the wakers that are to be woken.

use std::collections::VecDeque;
use std::io;
use std::task::Waker;
use std::time::Duration;

use tokio::time::Instant;

use crate::chance::Chance;

/// The most bytes on their way in one direction. Further bytes wait at the writer.
const CAPACITY: usize = 256 << 10;

/// One of a connection's two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Client,
    Server,
}

impl End {
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// A connection between two peers.
#[derive(Debug)]
pub(crate) struct Pipe {
    /// The bytes that the client writes, and those that the server writes.
    flows: [Flow; 2],
    /// It was cut: bytes on their way arrive, and then an error.
    is_cut: bool,
    /// Bytes of it were lost, so no more bytes arrive, and neither end gets an error.
    is_lost: bool,
}

/// One direction.
#[derive(Debug)]
struct Flow {
    /// In the order in which they were written, which is that in which they are read.
    chunks: VecDeque<Chunk>,
    /// The bytes of all chunks that have not been read.
    on_the_way: usize,
    /// When the end of the stream arrives, once it was written.
    ended: Option<Instant>,
    /// Its writer has been dropped.
    has_no_writer: bool,
    chance: Chance,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

#[derive(Debug)]
struct Chunk {
    arrives: Instant,
    bytes: Vec<u8>,
    /// The number of its bytes that have been read.
    read: usize,
}

/// The result of a read.
#[derive(Debug)]
pub(crate) enum Read {
    Bytes(Vec<u8>),
    End,
    /// No bytes arrive before this time.
    Wait(Instant),
    /// No bytes are on their way: wait for a wake.
    Sleep,
}

/// The link's delays for one direction at the moment of a write.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Delay {
    pub(crate) latency: Duration,
    pub(crate) jitter: Duration,
    /// Whether delivery is suspended.
    pub(crate) is_held: bool,
}

impl Pipe {
    /// `chances` are the random sources of the client's and of the server's writes.
    pub(crate) fn new(chances: [Chance; 2]) -> Self {
        let flows = chances.map(|chance| Flow {
            chunks: VecDeque::new(),
            on_the_way: 0,
            ended: None,
            has_no_writer: false,
            chance,
            reader: None,
            writer: None,
        });
        Self {
            flows,
            is_cut: false,
            is_lost: false,
        }
    }

    /// The bytes that `end` writes.
    fn flow(&mut self, end: End) -> &mut Flow {
        &mut self.flows[end as usize]
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// The ends that are still held by somebody.
    pub(crate) fn open_ends(&self) -> impl Iterator<Item = End> {
        let ends = [End::Client, End::Server].into_iter();
        ends.filter(|end| !self.flows[*end as usize].has_no_writer)
    }

    /// Up to `limit` bytes that have arrived at `end`.
    pub(crate) fn read(
        &mut self,
        end: End,
        limit: usize,
        now: Instant,
        waker: &Waker,
    ) -> io::Result<Read> {
        let (is_cut, is_lost) = (self.is_cut, self.is_lost);
        let flow = self.flow(end.other());
        if is_lost {
            flow.reader = Some(waker.clone());
            return Ok(Read::Sleep);
        }
        let Some(chunk) = flow.chunks.front_mut() else {
            return match flow.ended {
                Some(ended) if ended <= now => Ok(Read::End),
                _ if is_cut => Err(io::ErrorKind::ConnectionReset.into()),
                ended => {
                    flow.reader = Some(waker.clone());
                    Ok(ended.map_or(Read::Sleep, Read::Wait))
                }
            };
        };
        if chunk.arrives > now {
            let arrives = chunk.arrives;
            flow.reader = Some(waker.clone());
            return Ok(Read::Wait(arrives));
        }
        let unread = &chunk.bytes[chunk.read..];
        let bytes = unread[..limit.min(unread.len())].to_vec();
        chunk.read += bytes.len();
        if chunk.read == chunk.bytes.len() {
            flow.chunks.pop_front();
        }
        flow.on_the_way -= bytes.len();
        Ok(Read::Bytes(bytes))
    }

    /// Sends as much of `bytes` as there is room for; `None` if there is none now.
    pub(crate) fn write(
        &mut self,
        end: End,
        bytes: &[u8],
        now: Instant,
        delay: Delay,
        waker: &Waker,
    ) -> io::Result<Option<usize>> {
        if self.is_lost || bytes.is_empty() {
            return Ok(Some(bytes.len()));
        }
        if self.is_cut {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        let other = self.flow(end.other());
        if other.has_no_writer {
            // Bytes written before this end can learn of it are dropped.
            return match other.ended {
                Some(ended) if ended <= now && !delay.is_held => {
                    Err(io::ErrorKind::BrokenPipe.into())
                }
                _ => Ok(Some(bytes.len())),
            };
        }
        let flow = self.flow(end);
        let length = bytes.len().min(CAPACITY - flow.on_the_way);
        if length == 0 {
            flow.writer = Some(waker.clone());
            return Ok(None);
        }
        let arrives = flow.arrival(now, delay);
        flow.chunks.push_back(Chunk {
            arrives,
            bytes: bytes[..length].to_vec(),
            read: 0,
        });
        flow.on_the_way += length;
        Ok(Some(length))
    }

    /// There is no more to come from `end`.
    pub(crate) fn finish(&mut self, end: End, now: Instant, delay: Delay) {
        let is_cut = self.is_cut;
        let flow = self.flow(end);
        if flow.ended.is_none() && !is_cut {
            flow.ended = Some(flow.arrival(now, delay));
        }
    }

    /// `end` is gone; `true` if the other one is too.
    pub(crate) fn leave(&mut self, end: End, now: Instant, delay: Delay) -> bool {
        self.finish(end, now, delay);
        self.flow(end).has_no_writer = true;
        // This end will not read these any more.
        let unread = self.flow(end.other());
        unread.chunks.clear();
        unread.on_the_way = 0;
        unread.has_no_writer
    }

    /// Breaks the connection, for both ends to see.
    pub(crate) fn cut(&mut self) {
        (self.is_cut, self.is_lost) = (true, false);
    }

    /// Loses the connection silently: neither end gets an error.
    pub(crate) fn lose(&mut self) {
        self.is_lost = true;
        for flow in &mut self.flows {
            flow.chunks.clear();
            flow.on_the_way = 0;
        }
    }

    /// Whether anything is on its way.
    pub(crate) fn is_busy(&self, now: Instant) -> bool {
        let is_busy = |flow: &Flow| {
            let ends = flow.ended.is_some_and(|ended| ended > now);
            ends || !flow.chunks.is_empty()
        };
        self.flows.iter().any(is_busy)
    }

    /// Has the reader at `end` wait until it is woken.
    pub(crate) fn wait(&mut self, end: End, waker: &Waker) {
        self.flow(end.other()).reader = Some(waker.clone());
    }

    /// The waker of the reader that waits at `end`.
    pub(crate) fn take_reader(&mut self, end: End) -> Option<Waker> {
        self.flow(end.other()).reader.take()
    }

    /// The waker of the writer that waits for room at `end`.
    pub(crate) fn take_writer(&mut self, end: End) -> Option<Waker> {
        self.flow(end).writer.take()
    }

    /// Whoever waits for something.
    pub(crate) fn wakers(&mut self) -> impl Iterator<Item = Waker> {
        let flows = self.flows.iter_mut();
        flows.flat_map(|flow| flow.reader.take().into_iter().chain(flow.writer.take()))
    }
}

impl Flow {
    fn arrival(&mut self, now: Instant, delay: Delay) -> Instant {
        let jitter = delay.jitter.mul_f64(self.chance.fraction());
        now + delay.latency + jitter
    }
}

#[cfg(test)]
mod tests;
