//! Credentials of calls: metadata that says who calls, fixed or made anew for
//! each call. It must never put a secret where it could be printed.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::metadata::{Metadata, MetadataError};
use crate::method::Method;
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
pub struct CallCredentials(Arc<Content>);

#[derive(Clone)]
struct Content {
    /// In the order of their metadata.
    parts: Vec<Part>,
    allow_unencrypted: bool,
}

#[derive(Clone)]
enum Part {
    Fixed(Metadata),
    Source(Arc<dyn Fn(AuthRequest) -> Made + Send + Sync>),
}

type Made = Pin<Box<dyn Future<Output = Result<Metadata, Status>> + Send>>;

/// What a source of credentials may know of a call.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AuthRequest {
    /// The service's URL, `https://host/package.Service`: the audience that
    /// tokens are made out to. The port is left out where it is 443.
    pub service_url: String,
    /// The method that is called.
    pub method: Method,
}

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

    /// Metadata that `source` makes for each call: a token that is fetched, is
    /// refreshed, or depends on the service. It should keep what it can use
    /// again.
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

    fn of(part: Part) -> Self {
        Self(Arc::new(Content {
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

    /// Adds the metadata, if none of it has to be made; else adds nothing and
    /// gives `false`.
    pub(crate) fn add_fixed(&self, metadata: &mut Metadata) -> bool {
        let fixed = |part: &Part| matches!(part, Part::Fixed(_));
        if !self.0.parts.iter().all(fixed) {
            return false;
        }
        for part in &self.0.parts {
            if let Part::Fixed(fixed) = part {
                metadata.extend(fixed);
            }
        }
        true
    }

    /// Makes the metadata and adds it, one part after the other.
    pub(crate) async fn add(
        &self,
        request: &AuthRequest,
        metadata: &mut Metadata,
    ) -> Result<(), Status> {
        for part in &self.0.parts {
            match part {
                Part::Fixed(fixed) => metadata.extend(fixed),
                Part::Source(source) => metadata.extend(&source(request.clone()).await?),
            }
        }
        Ok(())
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
