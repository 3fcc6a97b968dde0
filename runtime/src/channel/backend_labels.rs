//! Labels that a resolver gives to all of a target's servers, for metrics (gRFC A78, A89).
//! Values only.

/// The locality of a target's servers, in the format of gRFC A78:
/// `{region="eu", zone="eu-1", sub_zone=""}`. A resolver passes it to
/// [`Resolution::attributes`](crate::Resolution::attributes), and
/// [`UpdatedWeights`](crate::UpdatedWeights) contains it.
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

/// The name of the service behind a target that can lead to several services (gRFC A89). A
/// resolver passes it in the same way as a [`Locality`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendService(pub String);
