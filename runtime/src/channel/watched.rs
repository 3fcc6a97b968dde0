//! What a subchannel does besides calls. The hub sets this value; each connection of the
//! subchannel applies it.

use std::sync::Arc;
use std::time::Duration;

/// The tasks of one subchannel besides calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Watched {
    /// The service whose health is watched on the server.
    pub(crate) health: Option<Arc<str>>,
    /// How often the server is to report its load.
    pub(crate) load: Option<Duration>,
    /// The most connections of the subchannel.
    pub(crate) connections: u32,
}

impl Default for Watched {
    fn default() -> Self {
        Self {
            health: None,
            load: None,
            connections: 1,
        }
    }
}
