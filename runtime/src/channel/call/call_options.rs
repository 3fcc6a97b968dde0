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
    /// It is the program's word, which a service config does not change.
    pub(crate) is_ready_said: bool,
    pub(crate) limits: CallLimits,
    /// What the request's messages are compressed with.
    pub(crate) compression: Compression,
    /// The bytes of the request's one message before it was compressed; 0 where it was not.
    pub(crate) plain_size: u32,
    /// The caller's; once they have been added, those that want to hear of a refusal.
    pub(crate) credentials: Option<CallCredentials>,
}

impl CallOptions {
    /// What a service config says of a call that began at `start()`: the shorter time and
    /// the smaller messages count, and whether it waits for readiness unless the program
    /// has said so.
    pub(crate) fn hold_to(&mut self, config: &MethodConfig, start: impl FnOnce() -> Instant) {
        // A timeout beyond what the clock can count is none.
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
