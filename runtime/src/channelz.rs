//! The registry of the servers and channels that channelz shows (gRFC A14). It uses both
//! the channel and the server modules, which do not depend on each other.

use std::sync::Arc;

use crate::channel::{ChannelBuilder, ChannelSnapshot};
use crate::server::{ServerBuilder, ServerSnapshot};
use crate::snapshot::entries::Entries;

/// The servers and channels of a program that gRPC's channelz shows. A server or channel is
/// listed once it was built with the registry, for as long as it exists. A program makes a
/// registry and passes it on; none is global. Clones are the same registry.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use grpc_runtime::{Channel, ChannelCredentials, ChannelzRegistry, Server};
///
/// let registry = ChannelzRegistry::new();
/// let server = Server::builder()
///     .channelz(&registry)
///     .listen("127.0.0.1:0")
///     .start()
///     .await?;
/// let channel = Channel::builder(&server.addresses()[0])?
///     .channelz(&registry)
///     .build(ChannelCredentials::insecure())?;
///
/// let shown = registry.servers().remove(0);
/// assert_eq!(shown.listeners()[0].address(), server.addresses()[0]);
/// assert_eq!(registry.channels().len(), 1);
/// drop(channel);
/// assert_eq!(registry.channels().len(), 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct ChannelzRegistry {
    servers: Arc<Entries<ServerSnapshot>>,
    channels: Arc<Entries<ChannelSnapshot>>,
}

impl ChannelzRegistry {
    /// An empty registry.
    pub fn new() -> Self {
        Self::default()
    }

    /// A snapshot of each server that runs, in the order in which they were started.
    pub fn servers(&self) -> Vec<ServerSnapshot> {
        self.servers.snapshots()
    }

    /// A snapshot of each channel that has a handle or a call, in the order in which they
    /// were made.
    pub fn channels(&self) -> Vec<ChannelSnapshot> {
        self.channels.snapshots()
    }
}

impl ServerBuilder {
    /// Lists the server in `registry` from its start until it is dropped or shut down. By
    /// default no registry lists it.
    #[must_use]
    pub fn channelz(mut self, registry: &ChannelzRegistry) -> Self {
        self.registries().push(Arc::clone(&registry.servers));
        self
    }
}

impl ChannelBuilder {
    /// Lists the channel in `registry` until its last handle is dropped. By default no
    /// registry lists it.
    #[must_use]
    pub fn channelz(mut self, registry: &ChannelzRegistry) -> Self {
        self.registries().push(Arc::clone(&registry.channels));
        self
    }
}
