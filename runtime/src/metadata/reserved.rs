//! The field names that gRPC and HTTP/2 use themselves: an application cannot set them.

/// Whether the application cannot send `name`, which is in lowercase.
pub(crate) fn is_reserved(name: &[u8]) -> bool {
    if name.starts_with(b":") || name.starts_with(b"grpc-") {
        return !matches!(
            name,
            // gRFC A6: the server's delay until a call may be attempted again.
            b"grpc-retry-pushback-ms"
            // gRFC A72: the context of a trace, as a propagator writes it.
            | b"grpc-trace-bin"
        );
    }
    matches!(
        name,
        b"te"
            | b"host"
            | b"user-agent"
            | b"content-type"
            // The length of a body is not known when its head is sent.
            | b"content-length"
            // RFC 9113 section 8.2.2: connection-specific fields make a message
            // malformed.
            | b"connection"
            | b"keep-alive"
            | b"proxy-connection"
            | b"transfer-encoding"
            | b"upgrade"
    )
}
