//! Keepalive, limits on idle time and age, and the check of a client's PINGs. Without such
//! options a connection has only the last.

use std::time::{Duration, Instant};

use super::receive::FrameResult;
use super::{Connection, Role};
use crate::transport::http2::error_code::ErrorCode;
use crate::transport::http2::event::{ConnectionError, Event};
use crate::transport::http2::frame;
use crate::transport::http2::keepalive::{Beat, KEEPALIVE_PING, Keepalive, TOO_MANY_PINGS};
use crate::transport::http2::lifetime::{Lifetime, Passing};
use crate::transport::http2::options::UpkeepOptions;

/// The keepalive and lifetime of one connection.
#[derive(Debug)]
pub(super) struct Upkeep {
    keepalive: Option<Keepalive>,
    lifetime: Option<Lifetime>,
}

impl Upkeep {
    pub(super) fn next_timeout(&self, has_calls: bool) -> Option<Instant> {
        let keepalive = self.keepalive.as_ref();
        let keepalive = keepalive.and_then(|keepalive| keepalive.next_timeout(has_calls));
        let lifetime = self.lifetime.as_ref().and_then(Lifetime::next_timeout);
        keepalive.into_iter().chain(lifetime).min()
    }
}

impl Connection {
    /// Applies `options` from `now` on.
    pub(crate) fn keep_up(&mut self, options: &UpkeepOptions, now: Instant) {
        let keepalive = Keepalive::new(&options.keepalive, now);
        let lifetime = Lifetime::new(&options.lifetime, now);
        if keepalive.is_some() || lifetime.is_some() {
            self.upkeep = Some(Box::new(Upkeep {
                keepalive,
                lifetime,
            }));
        }
        self.ping_limits = options.pings;
    }

    /// Bytes of any kind were received.
    #[inline]
    pub(crate) fn heard(&mut self, now: Instant) {
        if let Some(upkeep) = &mut self.upkeep
            && let Some(keepalive) = &mut upkeep.keepalive
        {
            keepalive.heard(now);
        }
    }

    /// The owner has nothing more to do for now. It asks for the
    /// [`next_timeout`](Self::next_timeout) after this.
    #[inline]
    pub(crate) fn rest(&mut self, now: Instant) {
        self.rest_account(now);
        if let Some(upkeep) = &mut self.upkeep
            && let Some(lifetime) = &mut upkeep.lifetime
        {
            // A client's streams advance the first, a server's the second, each by two.
            let calls = self.next_stream.wrapping_add(self.last_peer_stream);
            lifetime.rest(!self.streams.is_empty(), calls, now);
        }
    }

    /// How long nothing may be received before a PING is sent, if keepalive is on.
    pub(crate) fn keepalive_time(&self) -> Option<Duration> {
        Some(self.upkeep.as_ref()?.keepalive.as_ref()?.time())
    }

    pub(super) fn handle_upkeep_timeout(&mut self, now: Instant) -> FrameResult {
        let has_calls = !self.streams.is_empty();
        let Some(upkeep) = &mut self.upkeep else {
            return Ok(());
        };
        let beat = upkeep.keepalive.as_mut().map_or(Beat::Still, |keepalive| {
            keepalive.on_timeout(has_calls, now)
        });
        let passing = upkeep
            .lifetime
            .as_mut()
            .map_or(Passing::Not, |lifetime| lifetime.on_timeout(has_calls, now));
        match beat {
            Beat::Still => {}
            Beat::Ping => {
                self.tally.keepalive();
                frame::Ping {
                    ack: false,
                    data: KEEPALIVE_PING,
                }
                .encode(self.output.buffer());
            }
            Beat::Dead => {
                return Err(ConnectionError::new(
                    ErrorCode::NO_ERROR,
                    "keepalive found it dead: nothing came back for a PING within its timeout",
                ));
            }
        }
        match passing {
            Passing::Not => {}
            Passing::Leave(reason) => self.leave(reason, now),
            Passing::Cut => self.events.push_back(Event::Overstayed),
            Passing::Drop => {
                return Err(ConnectionError::new(
                    ErrorCode::NO_ERROR,
                    "it outlived its maximum age and the grace",
                ));
            }
        }
        Ok(())
    }

    /// Checks a client's PING against the server's limits. It is charged to the budget for
    /// control frames too, which bounds the cost of PINGs if these limits are wide.
    pub(super) fn judge_ping(&mut self, now: Instant) -> FrameResult {
        if self.role == Role::Client {
            return Ok(());
        }
        let sent = std::mem::take(&mut self.sent_since_ping);
        let has_calls = !self.streams.is_empty();
        if self
            .ping_strikes
            .take(&self.ping_limits, has_calls, sent, now)
        {
            Ok(())
        } else {
            Err(ConnectionError::calm(TOO_MANY_PINGS))
        }
    }
}

#[cfg(test)]
mod tests;
