//! Service configs, built in Rust or read from JSON, and which one is in force.

pub(crate) mod builder;
#[cfg(feature = "dns-txt")]
pub(crate) mod choices;
pub(crate) mod content;
pub(crate) mod in_force;
#[cfg(feature = "service-config")]
mod json;
#[cfg(feature = "service-config")]
mod policies;
pub(crate) mod terms;
#[cfg(feature = "service-config")]
mod text;
