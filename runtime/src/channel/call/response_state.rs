//! What has come of a call's response so far. A value; it must never wake anyone.

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
