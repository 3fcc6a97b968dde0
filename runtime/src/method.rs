//! A method's path and the shape of its calls. Generated code declares them as constants;
//! they are independent of message types.

use std::fmt;

/// Which sides of a call send a stream of messages rather than exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    /// The client sends any number of messages.
    pub client_streams: bool,
    /// The server sends any number of messages.
    pub server_streams: bool,
}

impl Shape {
    /// One request, one response.
    pub const UNARY: Self = Self::new(false, false);
    /// One request, a stream of responses.
    pub const SERVER_STREAMING: Self = Self::new(false, true);
    /// A stream of requests, one response.
    pub const CLIENT_STREAMING: Self = Self::new(true, false);
    /// A stream each way, independent of each other.
    pub const BIDI_STREAMING: Self = Self::new(true, true);

    /// The name of the functions for methods of this shape.
    pub(crate) const fn word(self) -> &'static str {
        match (self.client_streams, self.server_streams) {
            (false, false) => "unary",
            (false, true) => "server_streaming",
            (true, false) => "client_streaming",
            (true, true) => "bidi_streaming",
        }
    }

    const fn new(client_streams: bool, server_streams: bool) -> Self {
        Self {
            client_streams,
            server_streams,
        }
    }
}

/// One method of a service: its path and its [`Shape`].
///
/// ```
/// use grpc_runtime::{Method, Shape};
///
/// const SAY_HELLO: Method = Method::unary("/example.HelloService/SayHello");
///
/// assert_eq!(SAY_HELLO.service(), "example.HelloService");
/// assert_eq!(SAY_HELLO.name(), "SayHello");
/// assert_eq!(SAY_HELLO.shape(), Shape::UNARY);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Method {
    path: &'static str,
    /// The index of the second slash. Invariant: `path[0]` and `path[slash]` are slashes,
    /// no other byte is, and at least one byte follows each.
    slash: u16,
    shape: Shape,
    is_idempotent: bool,
}

impl Method {
    /// What a [`ServerInterceptor`](crate::ServerInterceptor) sees instead of a method that
    /// the server does not have. All unknown paths share this one, since a caller can
    /// invent any number of paths. Its shape is a placeholder: nothing is known of the
    /// request.
    pub const UNKNOWN: Self = Self::new("/unknown/Unknown", Shape::CLIENT_STREAMING);

    /// A method by its path, `/package.Service/Method`.
    ///
    /// # Panics
    ///
    /// If `path` is not of that form, or longer than 65,535 bytes. In a constant, as in
    /// generated code, that is a compile-time error.
    pub const fn new(path: &'static str, shape: Shape) -> Self {
        let bytes = path.as_bytes();
        assert!(
            !bytes.is_empty() && bytes[0] == b'/',
            "a method's path begins with a slash"
        );
        let mut slash = 0;
        let mut at = 1;
        while at < bytes.len() {
            if bytes[at] == b'/' {
                assert!(slash == 0, "a method's path has two slashes");
                slash = at;
            }
            at += 1;
        }
        assert!(
            slash > 1 && slash + 1 < bytes.len(),
            "a method's path is /service/method"
        );
        assert!(
            bytes.len() <= u16::MAX as usize,
            "a method's path is at most 65,535 bytes long"
        );
        #[expect(clippy::cast_possible_truncation, reason = "it is within the path")]
        let slash = slash as u16;
        Self {
            path,
            slash,
            shape,
            is_idempotent: false,
        }
    }

    /// A method that takes one message and answers with one, as [`new`](Self::new) makes it.
    pub const fn unary(path: &'static str) -> Self {
        Self::new(path, Shape::UNARY)
    }

    /// A method that takes one message and answers with a stream, as [`new`](Self::new) makes it.
    pub const fn server_streaming(path: &'static str) -> Self {
        Self::new(path, Shape::SERVER_STREAMING)
    }

    /// A method that takes a stream and answers with one message, as [`new`](Self::new) makes it.
    pub const fn client_streaming(path: &'static str) -> Self {
        Self::new(path, Shape::CLIENT_STREAMING)
    }

    /// A method with a stream each way, as [`new`](Self::new) makes it.
    pub const fn bidi_streaming(path: &'static str) -> Self {
        Self::new(path, Shape::BIDI_STREAMING)
    }

    /// The same method, marked as idempotent: carrying a call out several times has the
    /// same effect as once. The method's `idempotency_level` declares it.
    ///
    /// ```
    /// # use grpc_runtime::Method;
    /// const GET: Method = Method::unary("/shop.Orders/Get").idempotent();
    ///
    /// assert!(GET.is_idempotent());
    /// ```
    #[must_use]
    pub const fn idempotent(mut self) -> Self {
        self.is_idempotent = true;
        self
    }

    /// Whether calls may be carried out several times; `false` by default.
    pub const fn is_idempotent(&self) -> bool {
        self.is_idempotent
    }

    /// The whole path, as sent in a request's `:path`.
    pub const fn path(&self) -> &'static str {
        self.path
    }

    /// The service's full name, such as `example.HelloService`.
    pub const fn service(&self) -> &'static str {
        self.path.split_at(self.slash as usize).0.split_at(1).1
    }

    /// The method's own name, such as `SayHello`.
    pub const fn name(&self) -> &'static str {
        self.path.split_at(self.slash as usize + 1).1
    }

    /// Which sides stream.
    pub const fn shape(&self) -> Shape {
        self.shape
    }
}

/// The path.
impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.path)
    }
}

#[cfg(test)]
mod tests;
