//! The settings of a service config for calls. Values, which the calls carry.

pub(crate) mod codes;
pub(crate) mod error;
pub(crate) mod method_config;
pub(crate) mod retry_policy;
