//! The state of a call's response on one stream.

use crate::call::gather::Gather;
use crate::metadata::Metadata;

#[derive(Debug, Default)]
pub(crate) enum ResponseState {
    /// The head has not arrived.
    #[default]
    Awaited,
    /// One message is expected and is collected here.
    Whole { head: Metadata, gather: Gather },
    /// Messages are passed to the caller as they arrive.
    Stream,
}
