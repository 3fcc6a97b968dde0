//! All services of this crate at once.

use bytes::Bytes;
use grpc_runtime::{ChannelzRegistry, Service};

use crate::{Channelz, Health, OutOfBandLoad, Reflection, ReflectionError};

/// Health, reflection of `sets`, channelz of what is in `registry`, and load out of band:
/// the services that tools and balancers call, as one set for
/// [`ServerBuilder::add_services`](grpc_runtime::ServerBuilder::add_services). It opens no
/// port (gRFC A38): every client of the server may call them, and sees the data of
/// [`Channelz`] and [`Reflection`]. If the server is open to the internet, put them on a
/// separate server with its own listener.
///
/// # Errors
/// As [`Reflection::new`].
///
/// ```
/// # mod shop {
/// #     pub use grpc_services::proto::grpc::health::v1::FILE_DESCRIPTOR_SET;
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use grpc_runtime::{ChannelzRegistry, Server};
/// use grpc_services::{Health, OutOfBandLoad, admin_services};
///
/// let (health, load) = (Health::new(), OutOfBandLoad::new());
/// let registry = ChannelzRegistry::new();
/// let sets = [shop::FILE_DESCRIPTOR_SET];
/// let server = Server::builder()
///     .channelz(&registry)
///     .add_services(admin_services(&health, &load, &registry, sets)?)
///     .listen("127.0.0.1:0")
///     .start()
///     .await?;
/// # drop(server);
/// # Ok(())
/// # }
/// ```
pub fn admin_services<S: Into<Bytes>>(
    health: &Health,
    load: &OutOfBandLoad,
    registry: &ChannelzRegistry,
    sets: impl IntoIterator<Item = S>,
) -> Result<impl Iterator<Item = Service>, ReflectionError> {
    let others = [
        health.service(),
        load.service(),
        Channelz::new(registry).into(),
    ];
    Ok(Reflection::new(sets)?.services().into_iter().chain(others))
}
