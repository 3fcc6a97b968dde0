//! What has arrived of a call's response so far.

use crate::call::gather::Gather;
use crate::metadata::Metadata;

#[derive(Debug, Default)]
pub(crate) enum ResponseState {
    /// The head has not come.
    #[default]
    Awaited,
    /// One message is expected, and is gathered here.
    Whole { head: Metadata, gather: Gather },
    /// Messages go to the caller as they come.
    Stream,
}
