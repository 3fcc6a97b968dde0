//! The servers and channels that are shown together (gRFC A14). It joins channel and
//! server, which do not know each other.

use std::sync::Arc;

use crate::channel::{ChannelBuilder, ChannelSnapshot};
use crate::server::{ServerBuilder, ServerSnapshot};
use crate::snapshot::entries::Entries;

/// The servers and channels of a program that gRPC's channelz shows: those that were given
/// to it, for as long as they are there. A program makes one and passes it on; nothing is
/// global. Clones are the same registry.
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
    /// A registry with nothing in it.
    pub fn new() -> Self {
        Self::default()
    }

    /// What is so of each server that runs, in the order in which they were started.
    pub fn servers(&self) -> Vec<ServerSnapshot> {
        self.servers.snapshots()
    }

    /// What is so of each channel of which there is a handle or a call, in the order in
    /// which they were made.
    pub fn channels(&self) -> Vec<ChannelSnapshot> {
        self.channels.snapshots()
    }
}

impl ServerBuilder {
    /// Has the server shown in `registry` from when it starts until it is dropped or shut
    /// down.
    #[must_use]
    pub fn channelz(mut self, registry: &ChannelzRegistry) -> Self {
        self.registries().push(Arc::clone(&registry.servers));
        self
    }
}

impl ChannelBuilder {
    /// Has the channel shown in `registry` until its last handle is dropped.
    #[must_use]
    pub fn channelz(mut self, registry: &ChannelzRegistry) -> Self {
        self.registries().push(Arc::clone(&registry.channels));
        self
    }
}
