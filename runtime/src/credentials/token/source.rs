//! The source of tokens, which a user provides.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::value::Token;
use crate::credentials::request::AuthRequest;
use crate::status::Status;

/// A provider of tokens that expire: an OAuth server, a metadata server, a file.
/// [`CallCredentials::from_tokens`](crate::CallCredentials::from_tokens) caches its tokens
/// and describes when it is asked.
///
/// An async function of the request implements this trait; each of its tokens is for one
/// service.
///
/// ```
/// use std::time::Duration;
///
/// use grpc_runtime::{AuthRequest, CallCredentials, Status, Token, TokenSource};
///
/// struct Login {
///     user: String,
/// }
///
/// impl Login {
///     async fn log_in(&self) -> Result<(String, u64), Status> {
///         # drop(&self.user);
///         // Ask the token server.
///         Ok(("mF_9.B5f-4.1JqM".to_owned(), 3_600))
///     }
/// }
///
/// impl TokenSource for Login {
///     async fn token(&self, _request: &AuthRequest) -> Result<Token, Status> {
///         let (text, seconds) = self.log_in().await?;
///         Ok(Token::bearer(&text)?.expires_in(Duration::from_secs(seconds)))
///     }
///
///     fn is_for_all(&self) -> bool {
///         true
///     }
/// }
///
/// let credentials = CallCredentials::from_tokens(Login { user: "ada".to_owned() });
/// # drop(credentials);
/// ```
pub trait TokenSource: Send + Sync + 'static {
    /// Fetches a new token. `request` has the service that the token is for, and the method
    /// of the call that began the fetch.
    ///
    /// # Errors
    /// Return `UNAUTHENTICATED` if a token is refused, and `UNAVAILABLE` if it cannot be
    /// fetched at the moment. Calls that have no token fail with this code and text,
    /// prefixed with `call credentials: `, and with this status as their source; codes that
    /// only a server may give become `INTERNAL`, as in
    /// [`from_source`](crate::CallCredentials::from_source).
    fn token(&self, request: &AuthRequest) -> impl Future<Output = Result<Token, Status>> + Send;

    /// Whether one token is for all services of all hosts that the credentials are used
    /// with. `false` by default: each [`service_url`](AuthRequest::service_url) has its own
    /// token.
    fn is_for_all(&self) -> bool {
        false
    }
}

impl<S, F> TokenSource for S
where
    S: Fn(AuthRequest) -> F + Send + Sync + 'static,
    F: Future<Output = Result<Token, Status>> + Send + 'static,
{
    async fn token(&self, request: &AuthRequest) -> Result<Token, Status> {
        self(request.clone()).await
    }
}

/// One token that is being fetched.
pub(super) type Fetch = Pin<Box<dyn Future<Output = Result<Token, Status>> + Send>>;

/// A [`TokenSource`] with its type erased.
pub(super) trait ErasedTokenSource: Send + Sync {
    /// Starts when it is polled.
    fn fetch(self: Arc<Self>, request: AuthRequest) -> Fetch;
}

impl<S: TokenSource> ErasedTokenSource for S {
    fn fetch(self: Arc<Self>, request: AuthRequest) -> Fetch {
        Box::pin(async move { self.token(&request).await })
    }
}
