//! Counters of a connection, readable from any thread while its owner counts. Counting does
//! not wait for readers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use std::time::{Duration, Instant};

/// The resolution of times: a subtraction of instants costs more than everything else here.
const GRAIN: Duration = Duration::from_millis(10);

/// Marks of events whose time is to be noted.
const CALL: u8 = 1;
const SENT: u8 = 2;
const RECEIVED: u8 = 4;

/// The published counters, as of the connection's last rest. Only its task writes them.
/// Those of calls are written together, so that for a reader every begun call is ended or in
/// flight.
#[derive(Debug)]
pub(crate) struct ConnectionCounts {
    epoch: Instant,
    /// Odd while the counters of calls are written.
    version: AtomicU32,
    calls: AtomicU64,
    succeeded: AtomicU64,
    in_flight: AtomicU64,
    sent: AtomicU64,
    received: AtomicU64,
    last_call: Moment,
    last_sent: Moment,
    last_received: Moment,
    // These are independent of each other.
    /// `u64::MAX` for any number.
    peer_max_streams: AtomicU64,
    keepalives: AtomicU64,
    /// The code of the peer's GOAWAY plus one; 0 for none.
    go_away: AtomicU64,
}

/// Nanoseconds since the epoch plus one; 0 for never.
#[derive(Debug, Default)]
struct Moment(AtomicU64);

/// A copy of [`ConnectionCounts`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) calls: u64,
    pub(crate) succeeded: u64,
    pub(crate) in_flight: u64,
    pub(crate) sent: u64,
    pub(crate) received: u64,
    pub(crate) keepalives: u64,
    pub(crate) last_call: Option<Instant>,
    pub(crate) last_sent: Option<Instant>,
    pub(crate) last_received: Option<Instant>,
    /// The peer's limit of concurrent calls; `None` for any number.
    pub(crate) peer_max_streams: Option<u32>,
    /// The code of the peer's GOAWAY.
    pub(crate) go_away: Option<u32>,
}

impl ConnectionCounts {
    fn new(epoch: Instant) -> Self {
        Self {
            epoch,
            version: AtomicU32::new(0),
            calls: AtomicU64::new(0),
            succeeded: AtomicU64::new(0),
            in_flight: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            last_call: Moment::default(),
            last_sent: Moment::default(),
            last_received: Moment::default(),
            peer_max_streams: AtomicU64::new(u64::MAX),
            keepalives: AtomicU64::new(0),
            go_away: AtomicU64::new(0),
        }
    }

    /// When the connection was made.
    pub(crate) fn epoch(&self) -> Instant {
        self.epoch
    }

    pub(crate) fn read(&self) -> Counted {
        loop {
            let before = self.version.load(Ordering::Acquire);
            let counted = self.look();
            fence(Ordering::Acquire);
            let after = self.version.load(Ordering::Relaxed);
            if before == after && before.is_multiple_of(2) {
                return counted;
            }
            // The owner needs a few nanoseconds, or this thread's core.
            std::thread::yield_now();
        }
    }

    fn look(&self) -> Counted {
        let read = |number: &AtomicU64| number.load(Ordering::Relaxed);
        Counted {
            calls: read(&self.calls),
            succeeded: read(&self.succeeded),
            in_flight: read(&self.in_flight),
            sent: read(&self.sent),
            received: read(&self.received),
            keepalives: read(&self.keepalives),
            last_call: self.last_call.after(self.epoch),
            last_sent: self.last_sent.after(self.epoch),
            last_received: self.last_received.after(self.epoch),
            peer_max_streams: u32::try_from(read(&self.peer_max_streams)).ok(),
            go_away: (read(&self.go_away))
                .checked_sub(1)
                .and_then(|code| u32::try_from(code).ok()),
        }
    }
}

impl Moment {
    /// As nanoseconds, which fit into 64 bits for centuries.
    fn of(since: Duration) -> u64 {
        let nanos = since.as_secs().wrapping_mul(1_000_000_000);
        nanos.wrapping_add(u64::from(since.subsec_nanos()) + 1)
    }

    fn after(&self, epoch: Instant) -> Option<Instant> {
        let since = self.0.load(Ordering::Relaxed).checked_sub(1)?;
        epoch.checked_add(Duration::from_nanos(since))
    }
}

/// The owner's side.
#[derive(Debug)]
pub(crate) struct Tally {
    counts: Arc<ConnectionCounts>,
    calls: u64,
    succeeded: u64,
    sent: u64,
    received: u64,
    /// The number of calls in flight that was published last.
    in_flight: usize,
    /// The time that is written, until `until`.
    stamp: u64,
    until: Instant,
    news: u8,
}

impl Tally {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            counts: Arc::new(ConnectionCounts::new(now)),
            calls: 0,
            succeeded: 0,
            sent: 0,
            received: 0,
            in_flight: 0,
            stamp: 0,
            until: now,
            news: 0,
        }
    }

    /// The counters for reading from other threads.
    pub(crate) fn counts(&self) -> &Arc<ConnectionCounts> {
        &self.counts
    }

    /// A call has a stream.
    #[inline]
    pub(crate) fn call(&mut self) {
        self.calls += 1;
        self.news |= CALL;
    }

    /// A call has ended with OK. Other ends follow from the number in flight.
    #[inline]
    pub(crate) fn succeeded(&mut self) {
        self.succeeded += 1;
    }

    /// This many messages were passed to the connection to be sent.
    #[inline]
    pub(crate) fn sent(&mut self, messages: u32) {
        self.sent += u64::from(messages);
        self.news |= SENT;
    }

    /// This many messages have been received completely.
    #[inline]
    pub(crate) fn received(&mut self, messages: u32) {
        self.received += u64::from(messages);
        self.news |= RECEIVED;
    }

    /// A keepalive PING was sent.
    pub(crate) fn keepalive(&self) {
        self.counts.keepalives.fetch_add(1, Ordering::Relaxed);
    }

    /// The peer permits this many concurrent calls.
    pub(crate) fn permitted(&self, streams: u32) {
        let streams = u64::from(streams);
        self.counts
            .peer_max_streams
            .store(streams, Ordering::Relaxed);
    }

    /// The peer has sent a GOAWAY with this code.
    pub(crate) fn go_away(&self, code: u32) {
        let code = u64::from(code) + 1;
        self.counts.go_away.store(code, Ordering::Relaxed);
    }

    /// Publishes the counters, with this many calls in flight, when the owner rests or has
    /// done much.
    #[inline]
    pub(crate) fn publish(&mut self, in_flight: usize, now: Instant) {
        if self.news != 0 || self.in_flight != in_flight {
            self.write(in_flight, now);
        }
    }

    fn write(&mut self, in_flight: usize, now: Instant) {
        let counts = &*self.counts;
        if now >= self.until {
            self.stamp = Moment::of(now.saturating_duration_since(counts.epoch));
            self.until = now + GRAIN;
        }
        let stamp = self.stamp;
        let news = std::mem::take(&mut self.news);
        let set = |number: &AtomicU64, value: u64| number.store(value, Ordering::Relaxed);
        if news & CALL != 0 || self.in_flight != in_flight {
            self.in_flight = in_flight;
            let version = counts.version.load(Ordering::Relaxed);
            let next = |steps| version.wrapping_add(steps);
            counts.version.store(next(1), Ordering::Relaxed);
            fence(Ordering::Release);
            if news & CALL != 0 {
                set(&counts.calls, self.calls);
                set(&counts.last_call.0, stamp);
            }
            set(&counts.succeeded, self.succeeded);
            set(&counts.in_flight, in_flight as u64);
            counts.version.store(next(2), Ordering::Release);
        }
        if news & SENT != 0 {
            set(&counts.sent, self.sent);
            set(&counts.last_sent.0, stamp);
        }
        if news & RECEIVED != 0 {
            set(&counts.received, self.received);
            set(&counts.last_received.0, stamp);
        }
    }
}

#[cfg(test)]
mod tests;
