//! What a caller may say about one call. A value; it must never do anything.

use std::time::Instant;

use crate::credentials::CallCredentials;
use crate::framing::Compression;
use crate::limits::CallLimits;
use crate::metadata::Metadata;
use crate::status::Status;

/// The options of one call.
#[derive(Debug, Clone, Default)]
pub(crate) struct CallOptions {
    pub(crate) deadline: Option<Instant>,
    pub(crate) metadata: Metadata,
    pub(crate) wait_for_ready: bool,
    pub(crate) limits: CallLimits,
    /// What the request's messages are compressed with.
    pub(crate) compression: Compression,
    /// The caller's; once they have been added, those that want to hear of a refusal.
    pub(crate) credentials: Option<CallCredentials>,
    /// The first thing that was wrong with an option: the call fails with it.
    pub(crate) error: Option<Status>,
}
