//! Why an address failed, and why all of a target's addresses failed. Values only.

use std::error::Error;
use std::fmt::Write as _;
use std::io;
use std::time::{Duration, Instant};

use crate::channel::error::ChannelError;
use crate::clock;
use crate::framing::Side;
use crate::observe::connection::ConnectionStep;
use crate::observe::observation;
use crate::observe::observer::Observers;
use crate::status::{Code, Phase, Status};
use crate::transport::PeerAddress;
use crate::transport::driver::Closed;
#[cfg(feature = "tls")]
use crate::transport::io::tls::HandshakeError;

/// The most addresses that a failure names.
const TOLD: usize = 8;

/// The step at which an attempt to connect failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ConnectStep {
    Connect,
    #[cfg(feature = "tls")]
    Tls,
    Http2,
}

impl ConnectStep {
    fn phase(self) -> Phase {
        if self == Self::Connect {
            Phase::Connect
        } else {
            Phase::Handshake
        }
    }

    fn observed(self) -> ConnectionStep {
        match self {
            Self::Connect => ConnectionStep::Connect,
            #[cfg(feature = "tls")]
            Self::Tls => ConnectionStep::Tls,
            Self::Http2 => ConnectionStep::Http2,
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Connect => "connect to",
            #[cfg(feature = "tls")]
            Self::Tls => "TLS with",
            Self::Http2 => "HTTP/2 with",
        }
    }
}

/// Why an attempt failed.
#[derive(Debug)]
pub(super) struct ConnectFailure {
    step: ConnectStep,
    reason: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl ConnectFailure {
    pub(super) fn connect(error: io::Error) -> Self {
        Self {
            step: ConnectStep::Connect,
            reason: error.to_string(),
            source: Some(error.into()),
        }
    }

    /// The resolver gave the address an invalid authority.
    pub(super) fn authority(error: ChannelError) -> Self {
        let reason = match &error {
            ChannelError::Authority { authority, reason } => format!(
                "the resolver gave the endpoint the authority '{}', which is not valid: {reason}",
                authority.escape_debug()
            ),
            error => error.to_string(),
        };
        Self {
            step: ConnectStep::Connect,
            reason,
            source: Some(error.into()),
        }
    }

    #[cfg(feature = "tls")]
    pub(super) fn handshake(error: HandshakeError) -> Self {
        Self {
            step: ConnectStep::Tls,
            reason: error.to_string(),
            source: error.into_source(),
        }
    }

    /// A connection that ended before HTTP/2 was established.
    pub(super) fn closed(closed: Closed) -> Self {
        let (reason, source): (_, Option<Box<dyn Error + Send + Sync>>) = match closed {
            Closed::Drained | Closed::Eof => {
                ("the connection was closed by the peer".to_owned(), None)
            }
            Closed::Io(error) => {
                // In TLS 1.3 the client's handshake completes before the server has checked
                // the client's certificate, so the server's rejection arrives as a read
                // error.
                #[cfg(feature = "tls")]
                if let Some(error) = HandshakeError::of_stream(&error) {
                    return Self::handshake(error);
                }
                (error.to_string(), Some(error.into()))
            }
            Closed::Protocol(error) => (error.to_string(), Some(error.into())),
            Closed::NotHttp2(said) => (said, None),
        };
        Self {
            step: ConnectStep::Http2,
            reason,
            source,
        }
    }

    /// Reports the failure to observers.
    pub(super) fn tell(&self, observers: &Observers, peer: &PeerAddress, began: Instant) {
        let failure = observation::FailedStep {
            step: self.step.observed(),
            reason: &self.reason,
            source: self.source.as_deref(),
        };
        let side = Side::Client;
        observation::failed(observers, side, peer, &failure, began, clock::now());
    }

    pub(super) fn timeout(step: ConnectStep, after: Duration) -> Self {
        Self {
            step,
            reason: format!("no answer within {after:?}"),
            source: None,
        }
    }

    /// All addresses' failures in one status: that of the attempt that came furthest, with
    /// the text of all.
    pub(super) fn status(name: &str, is_name: bool, failures: Vec<(String, Self)>) -> Status {
        // The same failure of several addresses is named once, and of very many addresses
        // only the first ones.
        let mut told: Vec<(ConnectStep, &str, String)> = Vec::new();
        for (address, failure) in failures.iter().take(TOLD) {
            let (step, reason) = (failure.step, failure.reason.as_str());
            match told
                .iter_mut()
                .find(|told| (told.0, told.1) == (step, reason))
            {
                Some((_, _, addresses)) => {
                    addresses.push_str(", ");
                    addresses.push_str(address);
                }
                None => told.push((step, reason, address.clone())),
            }
        }
        let tell = |(step, reason, addresses): &(ConnectStep, &str, String)| {
            format!("{} {addresses}: {reason}", step.text())
        };
        let mut text = told.iter().map(tell).collect::<Vec<_>>().join("; ");
        if let Some(more) = failures.len().checked_sub(TOLD).filter(|more| *more > 0) {
            let _ = write!(text, "; and {more} more addresses failed");
        }
        if is_name && told.iter().any(|told| told.2 != name) {
            text = format!("reach {name}: {text}");
        }
        let furthest = failures.into_iter().map(|(_, failure)| failure);
        let furthest = furthest.reduce(|a, b| if b.step > a.step { b } else { a });
        let status = Status::new(Code::Unavailable, text);
        match furthest {
            Some(Self { step, source, .. }) => {
                let status = status.with_phase(step.phase());
                match source {
                    Some(source) => status.with_source(source),
                    None => status,
                }
            }
            None => status,
        }
    }
}
