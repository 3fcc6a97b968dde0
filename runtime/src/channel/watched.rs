//! What a subchannel is to do besides calls. A value: the hub says it, and each connection
//! keeps to it.

use std::sync::Arc;
use std::time::Duration;

/// What is said of one subchannel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Watched {
    /// The service whose health the server is asked for.
    pub(crate) health: Option<Arc<str>>,
    /// How often the server is to report its load.
    pub(crate) load: Option<Duration>,
    /// How many connections there may be.
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
