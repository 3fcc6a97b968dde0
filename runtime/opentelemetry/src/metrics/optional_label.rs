//! Labels that are off by default.

/// A label that its gRFC makes optional, since it multiplies the number of series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OptionalLabel {
    /// `grpc.disconnect_error` of [`Instrument::SubchannelDisconnections`](crate::Instrument):
    /// why a connection ended, as `GOAWAY NO_ERROR`, `connection reset` or
    /// `subchannel shutdown`.
    DisconnectError,
    /// `grpc.security_level` of [`Instrument::SubchannelOpenConnections`](crate::Instrument):
    /// `privacy_and_integrity` with TLS, else `none`.
    SecurityLevel,
    /// `grpc.lb.locality` of the four instruments `grpc.lb.wrr` (gRFC A78): the
    /// [`Locality`](grpc_runtime::Locality) that the target's resolver gives, or empty.
    Locality,
    /// `grpc.lb.backend_service` of the same instruments (gRFC A89): the
    /// [`BackendService`](grpc_runtime::BackendService) that the target's resolver gives, or
    /// empty.
    BackendService,
}
