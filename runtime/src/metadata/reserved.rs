//! The field names that gRPC and HTTP/2 keep for themselves, as an application
//! must neither set nor overwrite them.

/// Whether `name`, in lowercase, is not the application's to send.
pub(crate) fn is_reserved(name: &[u8]) -> bool {
    if name.starts_with(b":") || name.starts_with(b"grpc-") {
        return !matches!(
            name,
            // gRFC A6: a server's word on when a call may be attempted again.
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
            // It would contradict the length of a body that is still to come.
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
