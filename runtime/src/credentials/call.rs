//! Credentials of calls: metadata that identifies the caller, fixed or made anew for each
//! call. `Debug` does not show their values.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::request::{AuthRequest, Callee};
use super::token::TokenSource;
use super::token::cache::Tokens;
use crate::metadata::{Metadata, MetadataError};
use crate::status::Status;

/// Metadata of a request that identifies its caller, usually a token.
///
/// They are attached to one call with `.credentials(…)`, or to all calls of a
/// channel with
/// [`ChannelCredentials::with_call_credentials`](crate::ChannelCredentials::with_call_credentials).
/// A call that has both sends the channel's first.
///
/// Anyone who reads such metadata can act as its sender, so it is sent over encrypted
/// connections only: on any other connection the call fails with `UNAUTHENTICATED` before
/// anything is sent. Unix sockets and in-process channels count as unencrypted.
/// [`allow_unencrypted`](Self::allow_unencrypted) lifts this.
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
    /// In the order in which their metadata is sent.
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

    /// Metadata that `source` makes for each call, such as a signature. Nothing is cached:
    /// use [`from_tokens`](Self::from_tokens) for tokens that are valid for a while.
    ///
    /// The source runs on the runtime of the call, or on the channels' own thread for a
    /// blocking call, within the call's deadline, and is dropped when the call is cancelled.
    /// An error of the source fails the call with that status; codes that only a server may
    /// give (`INVALID_ARGUMENT`, `NOT_FOUND`, `ALREADY_EXISTS`, `FAILED_PRECONDITION`,
    /// `ABORTED`, `OUT_OF_RANGE`, `DATA_LOSS`) become `INTERNAL` (gRFC A54). A source should
    /// return `UNAUTHENTICATED` if credentials are missing or refused, and `UNAVAILABLE` if
    /// they cannot be fetched at the moment.
    ///
    /// ```
    /// use grpc_runtime::{AuthRequest, CallCredentials, Metadata, Status};
    ///
    /// async fn fetch(audience: &str) -> Result<String, Status> {
    ///     # drop(audience);
    ///     // Ask the token server.
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

    /// Tokens that expire. A token is fetched when the first call needs it. All calls to its
    /// service share it, on every channel with these credentials or a clone of them; with
    /// [`TokenSource::is_for_all`] the calls to all services share one.
    ///
    /// - The next token is fetched before the current one expires, by a call that begins in
    ///   the last tenth to fifth of the token's life, at most 5 to 10 minutes before its
    ///   expiry; the exact moment is random. Calls keep using the current token meanwhile,
    ///   up to the last 200th of its life, at most 15 s before its expiry. A token that no
    ///   call uses is not renewed.
    /// - At most one fetch is under way for a service, however many calls wait for it. The
    ///   fetch runs in its own task, on the runtime of the call that began it, so it goes on
    ///   if that call is cancelled or passes its deadline. Each call waits no longer than
    ///   its own deadline. A fetch fails after 30 s with `UNAVAILABLE`, and with `INTERNAL`
    ///   if it panics.
    /// - After a failure the next fetch waits: 1 s, then 1.6 times as long after each
    ///   further failure, up to 120 s, ±20 %. Meanwhile calls use the current token if it is
    ///   still valid; without one they fail at once with the source's last error, even with
    ///   `wait_for_ready`.
    /// - A token that a server refuses with `UNAUTHENTICATED` is dropped, at most once in a
    ///   minute, and the next call fetches another. The refused call ends with the server's
    ///   status.
    ///
    /// A call neither waits nor takes a lock while the current token is valid.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use grpc_runtime::{AuthRequest, CallCredentials, Status, Token};
    ///
    /// async fn fetch(audience: &str) -> Result<(String, u64), Status> {
    ///     # drop(audience);
    ///     // Ask the token server.
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

    /// These credentials followed by `other`'s. The result may be sent without encryption
    /// only if both allow it.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let mut content = Arc::unwrap_or_clone(self.0);
        let behind = Arc::unwrap_or_clone(other.0);
        content.parts.extend(behind.parts);
        content.allow_unencrypted &= behind.allow_unencrypted;
        Self(Arc::new(content))
    }

    /// Allows these credentials on unencrypted connections too, where anyone on the path can
    /// read and use them: for tests, for sockets within one machine, and for networks with
    /// encryption below TCP.
    #[must_use]
    pub fn allow_unencrypted(self) -> Self {
        let mut content = Arc::unwrap_or_clone(self.0);
        content.allow_unencrypted = true;
        Self(Arc::new(content))
    }

    pub(crate) fn needs_encryption(&self) -> bool {
        !self.0.allow_unencrypted
    }

    /// Adds the metadata if none of it has to be fetched; otherwise adds nothing and returns
    /// `false`.
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

    /// Whether [`refuse`](Self::refuse) does anything: whether a part of them has tokens.
    pub(crate) fn hear_refusals(&self) -> bool {
        let hears = |part: &Part| matches!(part, Part::Tokens(_));
        self.0.parts.iter().any(hears)
    }

    /// A server refused a call that carried this metadata, with `UNAUTHENTICATED`.
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
