//! What a connection has done so far, in numbers that anybody may read while its owner
//! counts. It must never make a call wait for who reads.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Something happened of which the time is to be noted.
const CALL: u8 = 1;
const SENT: u8 = 2;
const RECEIVED: u8 = 4;

/// The numbers. The connection's task alone writes them, so that no addition needs a
/// locked instruction; what else they say is as of when it last had nothing to do.
#[derive(Debug)]
pub(crate) struct Counts {
    epoch: Instant,
    calls: AtomicU64,
    succeeded: AtomicU64,
    in_flight: AtomicU64,
    sent: AtomicU64,
    received: AtomicU64,
    keepalives: AtomicU64,
    last_call: Moment,
    last_sent: Moment,
    last_received: Moment,
    send_window: AtomicU64,
    receive_window: AtomicU64,
    peer_max_streams: AtomicU64,
}

/// Nanoseconds since the epoch, and one; 0 for never.
#[derive(Debug, Default)]
struct Moment(AtomicU64);

/// What is read of [`Counts`].
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
    pub(crate) windows: Windows,
}

/// What flow control and the peer permit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Windows {
    /// Bytes that may be sent, and received, on the whole connection.
    pub(crate) send: u64,
    pub(crate) receive: u64,
    /// How many calls may run at once, as the peer says; `u64::MAX` for any number.
    pub(crate) peer_max_streams: u64,
}

impl Counts {
    fn new(epoch: Instant) -> Self {
        Self {
            epoch,
            calls: AtomicU64::new(0),
            succeeded: AtomicU64::new(0),
            in_flight: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            keepalives: AtomicU64::new(0),
            last_call: Moment::default(),
            last_sent: Moment::default(),
            last_received: Moment::default(),
            send_window: AtomicU64::new(0),
            receive_window: AtomicU64::new(0),
            peer_max_streams: AtomicU64::new(u64::MAX),
        }
    }

    /// When the connection was made.
    pub(crate) fn epoch(&self) -> Instant {
        self.epoch
    }

    pub(crate) fn read(&self) -> Counted {
        let read = |number: &AtomicU64| number.load(Ordering::Relaxed);
        Counted {
            // What has ended is not ahead of what has begun.
            in_flight: read(&self.in_flight),
            succeeded: read(&self.succeeded),
            calls: read(&self.calls),
            sent: read(&self.sent),
            received: read(&self.received),
            keepalives: read(&self.keepalives),
            last_call: self.last_call.after(self.epoch),
            last_sent: self.last_sent.after(self.epoch),
            last_received: self.last_received.after(self.epoch),
            windows: Windows {
                send: read(&self.send_window),
                receive: read(&self.receive_window),
                peer_max_streams: read(&self.peer_max_streams),
            },
        }
    }
}

impl Moment {
    fn after(&self, epoch: Instant) -> Option<Instant> {
        let since = self.0.load(Ordering::Relaxed).checked_sub(1)?;
        epoch.checked_add(Duration::from_nanos(since))
    }
}

/// The owner's side.
#[derive(Debug)]
pub(crate) struct Tally {
    counts: Arc<Counts>,
    news: u8,
}

/// For its one writer.
#[inline]
fn add(number: &AtomicU64, more: u64) {
    let sum = number.load(Ordering::Relaxed).wrapping_add(more);
    number.store(sum, Ordering::Relaxed);
}

impl Tally {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            counts: Arc::new(Counts::new(now)),
            news: 0,
        }
    }

    /// For those who look at the connection from outside.
    pub(crate) fn counts(&self) -> &Arc<Counts> {
        &self.counts
    }

    /// A call has a stream.
    #[inline]
    pub(crate) fn call(&mut self) {
        add(&self.counts.calls, 1);
        self.news |= CALL;
    }

    /// A call has ended with OK.
    #[inline]
    pub(crate) fn succeeded(&self) {
        add(&self.counts.succeeded, 1);
    }

    /// So many messages are with the connection, to be sent.
    #[inline]
    pub(crate) fn sent(&mut self, messages: u32) {
        add(&self.counts.sent, messages.into());
        self.news |= SENT;
    }

    /// So many messages have come whole.
    #[inline]
    pub(crate) fn received(&mut self, messages: u32) {
        add(&self.counts.received, messages.into());
        self.news |= RECEIVED;
    }

    /// A PING asks whether the peer lives.
    pub(crate) fn keepalive(&self) {
        add(&self.counts.keepalives, 1);
    }

    /// The owner rests, or has done much, with so many calls under way. `windows` is asked
    /// where something has happened.
    #[inline]
    pub(crate) fn publish(
        &mut self,
        in_flight: usize,
        now: Instant,
        windows: impl FnOnce() -> Windows,
    ) {
        self.counts
            .in_flight
            .store(in_flight as u64, Ordering::Relaxed);
        if self.news != 0 {
            self.stamp(now, windows());
        }
    }

    fn stamp(&mut self, now: Instant, windows: Windows) {
        let counts = &*self.counts;
        let since = now.saturating_duration_since(counts.epoch);
        // Within 64 bits for centuries.
        let nanos = since.as_secs().wrapping_mul(1_000_000_000);
        let stamp = nanos.wrapping_add(u64::from(since.subsec_nanos()) + 1);
        if self.news & CALL != 0 {
            counts.last_call.0.store(stamp, Ordering::Relaxed);
        }
        if self.news & SENT != 0 {
            counts.last_sent.0.store(stamp, Ordering::Relaxed);
        }
        if self.news & RECEIVED != 0 {
            counts.last_received.0.store(stamp, Ordering::Relaxed);
        }
        counts.send_window.store(windows.send, Ordering::Relaxed);
        counts
            .receive_window
            .store(windows.receive, Ordering::Relaxed);
        counts
            .peer_max_streams
            .store(windows.peer_max_streams, Ordering::Relaxed);
        self.news = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nowhere() -> Windows {
        Windows::default()
    }

    #[test]
    fn what_is_counted_is_read_and_has_its_time() {
        let start = Instant::now();
        let mut tally = Tally::new(start);
        let later = start + Duration::from_millis(7);
        tally.call();
        tally.call();
        tally.received(1);
        tally.succeeded();
        tally.publish(1, later, || Windows {
            send: 5,
            receive: 6,
            peer_max_streams: 100,
        });
        let counted = tally.counts().read();
        assert_eq!((counted.calls, counted.succeeded), (2, 1));
        assert_eq!((counted.in_flight, counted.received), (1, 1));
        assert_eq!(counted.last_call, Some(later));
        assert_eq!(counted.last_received, Some(later));
        assert_eq!((counted.sent, counted.last_sent), (0, None));
        assert_eq!(counted.windows.peer_max_streams, 100);
    }

    #[test]
    fn a_turn_in_which_nothing_happens_moves_no_time() {
        let start = Instant::now();
        let mut tally = Tally::new(start);
        tally.sent(3);
        tally.publish(0, start, nowhere);
        tally.publish(0, start + Duration::from_secs(9), nowhere);
        let counted = tally.counts().read();
        assert_eq!((counted.sent, counted.last_sent), (3, Some(start)));
    }
}
