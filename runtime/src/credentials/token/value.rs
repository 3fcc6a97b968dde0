//! A token and its lifetime. `Debug` does not show the token.

use std::fmt;
use std::time::{Duration, Instant, SystemTime};

use crate::metadata::{Metadata, MetadataError};

/// A token and its lifetime, which a [`TokenSource`](crate::TokenSource) returns.
///
/// A token without an expiry is valid until a server refuses it with `UNAUTHENTICATED`.
/// `Debug` does not print its text.
///
/// ```
/// use std::time::Duration;
///
/// use grpc_runtime::Token;
///
/// let token = Token::bearer("mF_9.B5f-4.1JqM")?.expires_in(Duration::from_secs(3_600));
/// assert!(!format!("{token:?}").contains("mF_9"));
/// # Ok::<(), grpc_runtime::MetadataError>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct Token {
    metadata: Metadata,
    life: Life,
}

#[derive(Clone, Copy, Debug)]
enum Life {
    Unlimited,
    For(Duration),
    Until(SystemTime),
}

impl Token {
    /// A token that is sent as `authorization: Bearer …` (RFC 6750).
    ///
    /// # Errors
    /// `text` has a character outside printable ASCII.
    pub fn bearer(text: &str) -> Result<Self, MetadataError> {
        let value = format!("Bearer {text}");
        Metadata::from_pairs([("authorization", value)]).map(Self::from_metadata)
    }

    /// A token that is sent as this metadata, with any keys. The `Debug` of [`Metadata`],
    /// which pickers and handlers see, hides the values of `authorization`,
    /// `proxy-authorization` and `cookie` only.
    pub fn from_metadata(metadata: Metadata) -> Self {
        Self {
            metadata,
            life: Life::Unlimited,
        }
    }

    /// Sets the lifetime, counted from when the token was asked for: OAuth's `expires_in`.
    /// With [`Duration::ZERO`] the token has expired already, and the calls that wait for it
    /// fail with `UNAVAILABLE`. [`Duration::MAX`], the default, means no expiry.
    pub fn expires_in(mut self, life: Duration) -> Self {
        self.life = Life::For(life);
        self
    }

    /// Sets the time of expiry, by this machine's clock. If that has passed already, the
    /// calls that wait for the token fail with `UNAVAILABLE`. A token has no expiry by default.
    pub fn expires_at(mut self, at: SystemTime) -> Self {
        self.life = Life::Until(at);
        self
    }

    /// The metadata to send, and when it expires, if it does. The token was asked for at
    /// `asked`; `now` and `wall` are the same moment.
    pub(super) fn into_parts(
        self,
        asked: Instant,
        now: Instant,
        wall: SystemTime,
    ) -> (Metadata, Option<Instant>) {
        let expires = match self.life {
            Life::Unlimited => None,
            Life::For(life) => asked.checked_add(life),
            Life::Until(at) => {
                let rest = at.duration_since(wall).unwrap_or_default();
                now.checked_add(rest)
            }
        };
        (self.metadata, expires)
    }
}

/// Without the text.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("life", &self.life)
            .finish_non_exhaustive()
    }
}
