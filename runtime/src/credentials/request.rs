//! Which call credentials are for. A value only.

use crate::method::Method;

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

/// The same, before anything is allocated for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Callee<'a> {
    /// The server's, without the port where it is 443.
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
