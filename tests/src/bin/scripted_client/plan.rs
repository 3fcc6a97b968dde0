//! What is to be called, in the form that the clients of all languages read.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plan {
    /// Who calls: the first part of each call's `x-call`.
    pub(crate) client: String,
    /// What connects a channel.
    pub(crate) warm_up: Call,
    pub(crate) cases: Vec<Case>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) target: String,
    /// The channel's service config.
    pub(crate) config: Value,
    pub(crate) calls: Vec<Call>,
}

/// Several calls that are alike.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Call {
    /// The method's name in the contract.
    pub(crate) method: String,
    /// What goes as `x-script`.
    pub(crate) script: String,
    pub(crate) timeout_ms: u64,
    pub(crate) times: usize,
    /// How long to wait before them, in milliseconds.
    pub(crate) pause_ms: u64,
    /// The requests of a call that streams them.
    pub(crate) requests: usize,
    /// Metadata; in a value `{}` stands for the call's number in its case.
    pub(crate) metadata: BTreeMap<String, String>,
}
