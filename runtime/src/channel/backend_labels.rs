//! What a resolver says of all of a target's servers for those who count (gRFC A78, A89).
//! Values.

/// Where a target's servers are, as gRFC A78 writes it:
/// `{region="eu", zone="eu-1", sub_zone=""}`. A resolver gives it to
/// [`Resolution::attributes`](crate::Resolution::attributes), and
/// [`UpdatedWeights`](crate::UpdatedWeights) has it.
///
/// ```
/// use grpc_runtime::{Attributes, BackendService, Endpoint, Locality, Resolution};
///
/// fn found(endpoints: Vec<Endpoint>) -> Resolution {
///     let mut attributes = Attributes::default();
///     attributes.insert(Locality(r#"{region="eu", zone="eu-1", sub_zone=""}"#.to_owned()));
///     attributes.insert(BackendService("orders-v2".to_owned()));
///     Resolution::new(endpoints).attributes(attributes)
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locality(pub String);

/// What a target's servers serve, where one target can lead to several services (gRFC A89).
/// A resolver gives it as it gives a [`Locality`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendService(pub String);
