//! Keepalive (gRFCs A8 and A9): checks whether a quiet peer is alive, and limits how often a
//! client may send PINGs to a server. Time is an argument. A read only stores its time, and
//! a timer that fires too early is set again.
//!
//! ```text
//!             quiet for `time`             any byte
//!  listening ──────────────────→ pinged ─────────────→ listening
//!     │  ↑ a call begins            │ quiet for `timeout`
//!     ↓  │                          ↓
//!   dormant (no calls)            dead
//! ```

use std::time::{Duration, Instant};

use super::durations::FOREVER;

/// The payload of our PINGs.
pub(crate) const KEEPALIVE_PING: [u8; 8] = *b"liveness";
/// The debug data of `ENHANCE_YOUR_CALM` for a client that sends too many PINGs.
pub(crate) const TOO_MANY_PINGS: &str = "too_many_pings";
/// The number of early PINGs that are tolerated.
const MAX_STRIKES: u8 = 2;
/// The least time between PINGs of a client without calls that is not permitted to ping
/// without calls.
const WITHOUT_CALLS: Duration = Duration::from_secs(2 * 60 * 60);

/// When a side pings.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KeepaliveOptions {
    /// How long nothing may be received before a PING is sent; `None` for never.
    pub(crate) time: Option<Duration>,
    /// How long the peer may take to answer.
    pub(crate) timeout: Duration,
    /// Whether PINGs are sent while there is no call.
    pub(crate) without_calls: bool,
}

impl KeepaliveOptions {
    /// gRPC's defaults of a client.
    pub(crate) const CLIENT: Self = Self {
        time: None,
        timeout: Duration::from_secs(20),
        without_calls: false,
    };
    /// A server sends PINGs to clients without calls too. Off by default, unlike the two
    /// hours of other gRPC implementations: see ARCHITECTURE.md.
    pub(crate) const SERVER: Self = Self {
        without_calls: true,
        ..Self::CLIENT
    };

    /// Doubles the time after a server's `too_many_pings` (gRFC A8).
    pub(crate) fn slow_down(&mut self) {
        self.time = self.time.map(|time| time.saturating_mul(2).min(FOREVER));
    }
}

/// What to do when the timer fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beat {
    /// Nothing yet.
    Still,
    /// Send a PING.
    Ping,
    /// Nothing was received within the timeout after the last PING.
    Dead,
}

/// One connection's keepalive.
#[derive(Debug)]
pub(crate) struct Keepalive {
    time: Duration,
    timeout: Duration,
    without_calls: bool,
    /// When bytes were last received.
    heard: Instant,
    /// When the unanswered PING was sent. Any byte is an answer.
    pinged: Option<Instant>,
    /// When to check next; it does not move between two checks.
    check: Instant,
    /// There was no call at the last check: the next call starts keepalive again.
    dormant: bool,
}

impl Keepalive {
    /// `None` if the options switch it off.
    pub(crate) fn new(options: &KeepaliveOptions, now: Instant) -> Option<Self> {
        let time = options.time?;
        Some(Self {
            time,
            timeout: options.timeout,
            without_calls: options.without_calls,
            heard: now,
            pinged: None,
            check: now + time,
            dormant: false,
        })
    }

    pub(crate) fn time(&self) -> Duration {
        self.time
    }

    /// Bytes came.
    pub(crate) fn heard(&mut self, now: Instant) {
        self.heard = now;
    }

    pub(crate) fn next_timeout(&self, has_calls: bool) -> Option<Instant> {
        (has_calls || !self.dormant).then_some(self.check)
    }

    pub(crate) fn on_timeout(&mut self, has_calls: bool, now: Instant) -> Beat {
        if now < self.check {
            return Beat::Still;
        }
        if let Some(pinged) = self.pinged
            && self.heard < pinged
        {
            let until = pinged + self.timeout;
            if until <= now {
                return Beat::Dead;
            }
            self.check = until;
            return Beat::Still;
        }
        self.pinged = None;
        self.dormant = false;
        let due = self.heard + self.time;
        if due > now {
            self.check = due;
            return Beat::Still;
        }
        if !has_calls && !self.without_calls {
            self.dormant = true;
            return Beat::Still;
        }
        self.pinged = Some(now);
        self.check = now + self.timeout.min(self.time);
        Beat::Ping
    }
}

/// How often a client may send PINGs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PingLimits {
    pub(crate) min_interval: Duration,
    /// Whether the same holds without a call.
    pub(crate) without_calls: bool,
}

impl Default for PingLimits {
    fn default() -> Self {
        Self {
            min_interval: Duration::from_secs(5 * 60),
            without_calls: false,
        }
    }
}

/// Checks a client's PINGs against the limits. HEADERS or DATA from the server reset the
/// count: clients that measure bandwidth or round trips ping after what they received.
#[derive(Debug, Default)]
pub(crate) struct PingStrikes {
    strikes: u8,
    last: Option<Instant>,
}

impl PingStrikes {
    /// Counts one PING; `false` if it is one too many. `sent`: HEADERS or DATA was sent
    /// since the last one.
    pub(crate) fn take(
        &mut self,
        limits: &PingLimits,
        has_calls: bool,
        sent: bool,
        now: Instant,
    ) -> bool {
        let last = self.last.replace(now);
        if sent {
            self.strikes = 0;
            return true;
        }
        let least = if has_calls || limits.without_calls {
            limits.min_interval
        } else {
            WITHOUT_CALLS.max(limits.min_interval)
        };
        if last.is_some_and(|last| now.saturating_duration_since(last) < least) {
            self.strikes = self.strikes.saturating_add(1);
        }
        self.strikes <= MAX_STRIKES
    }
}

#[cfg(test)]
mod tests;
