//! The config selector of a resolver, which decides for each call (gRFC A31). A control
//! plane routes calls with it.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::address::Attributes;
use super::config::error::ConfigPath;
use super::config::method_config::MethodConfig;
use super::pick::{PickArgs, as_picked};
use crate::status::{Code, Phase, Status};

/// Decides for each call, by its method and metadata, what a service config sets only by
/// method (gRFC A31). A [resolver](crate::Resolution::config_selector) passes a selector to
/// its channel, and another one with each change.
///
/// It is used once for each call, after interceptors and credentials and before a
/// subchannel is picked. It runs on the thread that makes the call, or on the channel's
/// task if the call began before the resolver had a result. Several threads use it at a
/// time, so it must not block. A panic fails the call with `INTERNAL`.
///
/// ```
/// use std::time::Duration;
///
/// use grpc_runtime::{CallConfig, ConfigSelector, MethodConfig, PickArgs, Status};
///
/// /// What a picker finds in `PickArgs::attributes`.
/// #[derive(PartialEq)]
/// struct Cluster(&'static str);
///
/// struct ByTenant;
///
/// impl ConfigSelector for ByTenant {
///     fn select(&self, call: &PickArgs<'_>) -> Result<CallConfig, Status> {
///         match call.metadata().get("x-tenant") {
///             Some("trial") => {
///                 let config = MethodConfig::new().timeout(Duration::from_secs(1));
///                 Ok(CallConfig::new().method_config(config).with(Cluster("small")))
///             }
///             Some(_) => Ok(CallConfig::new().with(Cluster("large"))),
///             None => Err(Status::unavailable("a call without x-tenant has no route")),
///         }
///     }
/// }
/// ```
pub trait ConfigSelector: Send + Sync + 'static {
    /// The config of this call. An error fails the call, even if it waits for readiness. A
    /// code that only a server may use becomes `INTERNAL` (gRFC A54).
    fn select(&self, call: &PickArgs<'_>) -> Result<CallConfig, Status>;
}

impl<S: ConfigSelector + ?Sized> ConfigSelector for Arc<S> {
    fn select(&self, call: &PickArgs<'_>) -> Result<CallConfig, Status> {
        (**self).select(call)
    }
}

impl fmt::Debug for dyn ConfigSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConfigSelector")
    }
}

/// A [`ConfigSelector`]'s decision about one call.
#[derive(Clone, Debug, Default)]
pub struct CallConfig {
    pub(super) method_config: Option<Arc<MethodConfig>>,
    pub(super) attributes: Attributes,
}

impl CallConfig {
    /// An empty one: the service config applies.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the call's config, instead of the service config's for its method. A retry or
    /// hedging policy that is invalid for the method fails the call with `UNAVAILABLE`.
    /// Passing an `Arc` avoids a copy for each call.
    #[must_use]
    pub fn method_config(mut self, config: impl Into<Arc<MethodConfig>>) -> Self {
        self.method_config = Some(config.into());
        self
    }

    /// Adds an attribute to the call, which [pickers](crate::Picker) see, such as the
    /// call's cluster. It is kept until the call is over.
    #[must_use]
    pub fn with<T: std::any::Any + PartialEq + Send + Sync>(mut self, attribute: T) -> Self {
        self.attributes.insert(attribute);
        self
    }
}

/// Asks a selector; a panic becomes an error.
pub(super) fn select(
    selector: &dyn ConfigSelector,
    call: PickArgs<'_>,
) -> Result<CallConfig, Status> {
    let selected = catch_unwind(AssertUnwindSafe(|| selector.select(&call)));
    let selected = selected
        .unwrap_or_else(|_| {
            let text = "the config selector of the channel's resolver panicked";
            Err(Status::new(Code::Internal, text).with_phase(Phase::Call))
        })
        .map_err(as_picked)?;
    if let Some(config) = &selected.method_config {
        config.check(&ConfigPath::default)?;
    }
    Ok(selected)
}
