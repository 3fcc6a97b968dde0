//! What a service config says of calls. Values, which the calls themselves carry.

pub(crate) mod codes;
pub(crate) mod error;
pub(crate) mod method_config;
pub(crate) mod retry_policy;
