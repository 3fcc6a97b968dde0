//! Keepalive (gRFCs A8 and A9): whether a quiet peer still lives, and how often a client may
//! ask that of a server. Time is an argument. A read only stores its time, and a timer that
//! fires too early is set again.
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
/// What a server says with `ENHANCE_YOUR_CALM` to a client that asks too often.
pub(crate) const TOO_MANY_PINGS: &str = "too_many_pings";
/// PINGs that come too soon and are forgiven.
const MAX_STRIKES: u8 = 2;
/// How often a client may ping that has no calls and no leave to ping without.
const WITHOUT_CALLS: Duration = Duration::from_secs(2 * 60 * 60);

/// When a side pings.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KeepaliveOptions {
    /// How long nothing may be heard before the peer is asked; `None`: for ever.
    pub(crate) time: Option<Duration>,
    /// How long the answer may take.
    pub(crate) timeout: Duration,
    /// Whether it is asked while no call runs.
    pub(crate) without_calls: bool,
}

impl KeepaliveOptions {
    /// gRPC's defaults of a client.
    pub(crate) const CLIENT: Self = Self {
        time: None,
        timeout: Duration::from_secs(20),
        without_calls: false,
    };
    /// A server asks clients without calls too. Where gRPC's others do that every
    /// two hours, it does not unless told to: see ARCHITECTURE.md.
    pub(crate) const SERVER: Self = Self {
        without_calls: true,
        ..Self::CLIENT
    };

    /// What a client does that was told of too many PINGs (gRFC A8).
    pub(crate) fn slow_down(&mut self) {
        self.time = self.time.map(|time| time.saturating_mul(2).min(FOREVER));
    }
}

/// What is to be done when the timer fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beat {
    /// Nothing now.
    Still,
    /// Send a PING.
    Ping,
    /// Nothing was heard since the last PING, for as long as that may take.
    Dead,
}

/// One connection's keepalive.
#[derive(Debug)]
pub(crate) struct Keepalive {
    time: Duration,
    timeout: Duration,
    without_calls: bool,
    /// When the peer was last heard of.
    heard: Instant,
    /// When the PING was sent that is not answered yet. Any byte is an answer.
    pinged: Option<Instant>,
    /// When to look again; it never moves between two looks.
    check: Instant,
    /// There was no call at the last look: it is made up for with the next one.
    dormant: bool,
}

impl Keepalive {
    /// `None` where the options switch it off.
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

/// How often a client may ping.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PingLimits {
    pub(crate) min_interval: Duration,
    /// Whether that is enough without a call too.
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

/// A client's PINGs before the limits. What the server sends of calls forgives all
/// that came before: clients that measure a connection (bandwidth, round trips)
/// ping after what they received.
#[derive(Debug, Default)]
pub(crate) struct PingStrikes {
    strikes: u8,
    last: Option<Instant>,
}

impl PingStrikes {
    /// Takes one PING; `false` if it is one too many. `sent` says whether HEADERS
    /// or DATA went out since the last one.
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
