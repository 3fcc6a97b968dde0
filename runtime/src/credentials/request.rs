//! The call that credentials are made for.

use crate::method::Method;

/// The call that a source of credentials is asked for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AuthRequest {
    /// The service's URL, `https://host/package.Service`: the audience of tokens. Port 443
    /// is left out.
    pub service_url: String,
    /// The method that is called.
    pub method: Method,
}

/// The same, borrowed: nothing is allocated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Callee<'a> {
    /// The server's host, without port 443.
    pub(super) host: &'a str,
    pub(super) method: Method,
}

impl<'a> Callee<'a> {
    pub(crate) fn new(authority: &'a str, method: Method) -> Self {
        Self {
            host: authority.strip_suffix(":443").unwrap_or(authority),
            method,
        }
    }

    /// The URL is gRPC's `service_url`.
    pub(super) fn request(self) -> AuthRequest {
        AuthRequest {
            service_url: format!("https://{}/{}", self.host, self.method.service()),
            method: self.method,
        }
    }
}
