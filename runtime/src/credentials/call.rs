//! Credentials of calls: metadata that says who calls, fixed or made anew for each call.
//! `Debug` does not show their values.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::request::{AuthRequest, Callee};
use super::token::TokenSource;
use super::token::cache::Tokens;
use crate::metadata::{Metadata, MetadataError};
use crate::status::Status;

/// Who makes a call, as metadata of its request: a token, as a rule.
///
/// They are attached to one call with `.credentials(…)`, or to all calls of a
/// channel with
/// [`ChannelCredentials::with_call_credentials`](crate::ChannelCredentials::with_call_credentials).
/// A call that has both sends the channel's first.
///
/// Whoever reads such metadata can act as its sender, so it is never sent
/// without encryption: the call fails with `UNAUTHENTICATED` before anything is
/// sent. That holds for Unix sockets and in-process channels too, as in every
/// gRPC, unless [`allow_unencrypted`](Self::allow_unencrypted) says otherwise.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use grpc_runtime::CallCredentials;
///
/// let token = CallCredentials::bearer("mF_9.B5f-4.1JqM")?;
/// # drop(token);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct CallCredentials(Arc<CredentialsContent>);

#[derive(Clone)]
struct CredentialsContent {
    /// In the order of their metadata.
    parts: Vec<Part>,
    allow_unencrypted: bool,
}

#[derive(Clone)]
enum Part {
    Fixed(Metadata),
    Source(Arc<dyn Fn(AuthRequest) -> Made + Send + Sync>),
    Tokens(Arc<Tokens>),
}

type Made = Pin<Box<dyn Future<Output = Result<Metadata, Status>> + Send>>;

impl CallCredentials {
    /// A token that does not change: `authorization: Bearer …` (RFC 6750).
    ///
    /// # Errors
    /// The token has a character outside printable ASCII.
    pub fn bearer(token: &str) -> Result<Self, MetadataError> {
        let value = format!("Bearer {token}");
        Ok(Self::fixed(Metadata::from_pairs([(
            "authorization",
            value,
        )])?))
    }

    /// Metadata that does not change.
    #[must_use]
    pub fn fixed(metadata: Metadata) -> Self {
        Self::of(Part::Fixed(metadata))
    }

    /// Metadata that `source` makes for each call, such as a signature. It keeps nothing:
    /// for tokens that live for a while there is [`from_tokens`](Self::from_tokens).
    ///
    /// It runs on the runtime of the call, or on the channels' own thread for a
    /// blocking one, within the call's deadline, and is dropped when the call is
    /// cancelled. Its error fails the call with that status; codes that only a
    /// server may give (`INVALID_ARGUMENT`, `NOT_FOUND`, `ALREADY_EXISTS`,
    /// `FAILED_PRECONDITION`, `ABORTED`, `OUT_OF_RANGE`, `DATA_LOSS`) become
    /// `INTERNAL`, as gRFC A54 asks. Where credentials are missing or refused
    /// say `UNAUTHENTICATED`; where they cannot be fetched for now, `UNAVAILABLE`.
    ///
    /// ```
    /// use grpc_runtime::{AuthRequest, CallCredentials, Metadata, Status};
    ///
    /// async fn fetch(audience: &str) -> Result<String, Status> {
    ///     # drop(audience);
    ///     // Ask whoever makes out tokens.
    ///     Ok("mF_9.B5f-4.1JqM".to_owned())
    /// }
    ///
    /// let credentials = CallCredentials::from_source(|request: AuthRequest| async move {
    ///     let token = fetch(&request.service_url).await?;
    ///     Ok(Metadata::from_pairs([("authorization", format!("Bearer {token}"))])?)
    /// });
    /// # drop(credentials);
    /// ```
    #[must_use]
    pub fn from_source<S, F>(source: S) -> Self
    where
        S: Fn(AuthRequest) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Metadata, Status>> + Send + 'static,
    {
        Self::of(Part::Source(Arc::new(move |request| {
            Box::pin(source(request))
        })))
    }

    /// Tokens that expire. One is fetched when the first call wants it, and is used by
    /// all calls of its service ([`TokenSource::is_for_all`]: by all calls), whichever
    /// channels and clones of these credentials they have.
    ///
    /// - The next one is fetched ahead of the expiry, by a call that comes in the last
    ///   tenth to fifth of the token's life, 5 to 10 minutes at most; when exactly is up
    ///   to chance. Calls go on with the old one meanwhile, until the last 200th of its
    ///   life, 15 s at most. A token that no call uses is not renewed.
    /// - At most one is fetched at a time, however many calls wait for it. It is fetched
    ///   by a task of its own, on the runtime of the call that came first: a call that
    ///   is cancelled or late takes nothing from the others. The calls that wait do so
    ///   within their own deadlines. A fetch is given up after 30 s (`UNAVAILABLE`), or
    ///   when it panics (`INTERNAL`).
    /// - After a failure nothing is fetched for a while: 1 s, growing by 1.6 to 120 s,
    ///   ±20 %. Calls go on with the old token if that still lives; the others, those
    ///   that wait for a connection (`wait_for_ready`) too, fail at once with what the
    ///   source said last.
    /// - A token that a server refused with `UNAUTHENTICATED` is dropped, so that the
    ///   next call fetches another; this at most once in 60 s. The call that was refused
    ///   ends with the refusal.
    ///
    /// A call whose token is at hand neither waits nor takes a lock.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use grpc_runtime::{AuthRequest, CallCredentials, Status, Token};
    ///
    /// async fn fetch(audience: &str) -> Result<(String, u64), Status> {
    ///     # drop(audience);
    ///     // Ask whoever makes out tokens.
    ///     Ok(("mF_9.B5f-4.1JqM".to_owned(), 3_600))
    /// }
    ///
    /// let credentials = CallCredentials::from_tokens(|request: AuthRequest| async move {
    ///     let (text, seconds) = fetch(&request.service_url).await?;
    ///     Ok(Token::bearer(&text)?.expires_in(Duration::from_secs(seconds)))
    /// });
    /// # drop(credentials);
    /// ```
    #[must_use]
    pub fn from_tokens(source: impl TokenSource) -> Self {
        Self::of(Part::Tokens(Arc::new(Tokens::new(source))))
    }

    fn of(part: Part) -> Self {
        Self(Arc::new(CredentialsContent {
            parts: vec![part],
            allow_unencrypted: false,
        }))
    }

    /// These credentials, and `other`'s behind them. Both must allow it for the
    /// two to be sent without encryption.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let mut content = Arc::unwrap_or_clone(self.0);
        let behind = Arc::unwrap_or_clone(other.0);
        content.parts.extend(behind.parts);
        content.allow_unencrypted &= behind.allow_unencrypted;
        Self(Arc::new(content))
    }

    /// Sends these credentials over connections without encryption too, where
    /// everyone on the way can read them and use them: for tests, for sockets
    /// within a machine, and for networks that encrypt by themselves.
    #[must_use]
    pub fn allow_unencrypted(self) -> Self {
        let mut content = Arc::unwrap_or_clone(self.0);
        content.allow_unencrypted = true;
        Self(Arc::new(content))
    }

    pub(crate) fn needs_encryption(&self) -> bool {
        !self.0.allow_unencrypted
    }

    /// Adds the metadata, if nothing of it has to be waited for; else adds nothing and
    /// gives `false`.
    pub(crate) fn add_at_hand(&self, callee: Callee<'_>, metadata: &mut Metadata) -> bool {
        let before = metadata.mark();
        let is_added = self.0.parts.iter().all(|part| match part {
            Part::Fixed(fixed) => {
                metadata.extend(fixed);
                true
            }
            Part::Tokens(tokens) => tokens.add_at_hand(callee, metadata),
            Part::Source(_) => false,
        });
        if !is_added {
            metadata.cut(before);
        }
        is_added
    }

    /// Makes the metadata and adds it, one part after the other.
    pub(crate) async fn add(
        &self,
        callee: Callee<'_>,
        metadata: &mut Metadata,
    ) -> Result<(), Status> {
        for part in &self.0.parts {
            match part {
                Part::Fixed(fixed) => metadata.extend(fixed),
                Part::Source(source) => metadata.extend(&source(callee.request()).await?),
                Part::Tokens(tokens) => tokens.add(callee, metadata).await?,
            }
        }
        Ok(())
    }

    /// Whether a server's refusal is of use to them.
    pub(crate) fn hear_refusals(&self) -> bool {
        let hears = |part: &Part| matches!(part, Part::Tokens(_));
        self.0.parts.iter().any(hears)
    }

    /// A server says `UNAUTHENTICATED` to a call that carried this.
    pub(crate) fn refuse(&self, carried: &Metadata) {
        for part in &self.0.parts {
            if let Part::Tokens(tokens) = part {
                tokens.refuse(carried);
            }
        }
    }
}

impl fmt::Debug for CallCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallCredentials")
            .field("parts", &self.0.parts.len())
            .field("allow_unencrypted", &self.0.allow_unencrypted)
            .finish()
    }
}
