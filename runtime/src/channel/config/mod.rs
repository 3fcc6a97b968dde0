//! What a service config says of calls: typed in Rust, and the same as JSON.

pub(crate) mod codes;
pub(crate) mod retry_policy;
