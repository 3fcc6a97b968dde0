//! The options of one call, from its caller and from the service config.

use std::time::Instant;

use crate::channel::config::method_config::MethodConfig;
use crate::clock;
use crate::credentials::CallCredentials;
use crate::framing::Compression;
use crate::limits::CallLimits;
use crate::metadata::Metadata;

/// The options of one call.
#[derive(Debug, Clone, Default)]
pub(crate) struct CallOptions {
    pub(crate) deadline: Option<Instant>,
    pub(crate) metadata: Metadata,
    pub(crate) wait_for_ready: bool,
    /// The program has set `wait_for_ready`, so a service config does not change it.
    pub(crate) is_ready_said: bool,
    pub(crate) limits: CallLimits,
    /// The compression of the request's messages.
    pub(crate) compression: Compression,
    /// The size of the request's only message before compression, in bytes; 0 if it was not
    /// compressed.
    pub(crate) plain_size: u32,
    /// The caller's credentials; after they were added, those to tell of a refusal.
    pub(crate) credentials: Option<CallCredentials>,
}

impl CallOptions {
    /// Applies the service config to a call that began at `start()`: the shorter timeout
    /// and the smaller message sizes count, and its `wait_for_ready` unless the program has
    /// set one.
    pub(crate) fn hold_to(&mut self, config: &MethodConfig, start: impl FnOnce() -> Instant) {
        // A timeout beyond what the clock can represent is no deadline.
        let latest = config
            .timeout
            .and_then(|timeout| start().checked_add(timeout));
        self.deadline = clock::earlier(self.deadline, latest);
        if let Some(bytes) = config.max_request_message_size {
            let limit = &mut self.limits.max_send_message_size;
            *limit = bytes.min(*limit);
        }
        if let Some(bytes) = config.max_response_message_size {
            let limit = &mut self.limits.max_receive_message_size;
            *limit = bytes.min(*limit);
        }
        if let Some(wait) = config.wait_for_ready
            && !self.is_ready_said
        {
            self.wait_for_ready = wait;
        }
    }
}
