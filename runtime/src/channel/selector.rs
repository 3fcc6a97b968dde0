//! What a resolver decides call by call (gRFC A31): the seam through which a control plane
//! routes calls.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::address::Attributes;
use super::config::error::ConfigPath;
use super::config::method_config::MethodConfig;
use super::pick::{PickArgs, as_picked};
use crate::status::{Code, Phase, Status};

/// Says what holds for each call, by its method and its metadata: what a service config
/// says of methods alone (gRFC A31). A [resolver](crate::Resolution::config_selector)
/// gives one to its channel, and another with each change.
///
/// It is asked once a call, on the thread that makes it, after interceptors and
/// credentials have had their say and before the call is picked for; on the channel's own
/// task where the call began before the resolver had spoken. Several are asked at a time,
/// so it must not block. A panic fails the call with `INTERNAL`.
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
    /// What holds for this call. An error is its end, whether it waits for readiness or
    /// not; a code that would look like a server's verdict becomes `INTERNAL` (gRFC A54).
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

/// What a [`ConfigSelector`] says of one call.
#[derive(Clone, Debug, Default)]
pub struct CallConfig {
    pub(super) method_config: Option<Arc<MethodConfig>>,
    pub(super) attributes: Attributes,
}

impl CallConfig {
    /// One that says nothing: the service config holds.
    pub fn new() -> Self {
        Self::default()
    }

    /// What holds for the call, in place of what the service config says of its method. A
    /// retry or hedging policy that cannot be carried out fails the call with
    /// `UNAVAILABLE`. An `Arc` saves a copy a call.
    #[must_use]
    pub fn method_config(mut self, config: impl Into<Arc<MethodConfig>>) -> Self {
        self.method_config = Some(config.into());
        self
    }

    /// Gives the call an attribute, which [pickers](crate::Picker) see: the cluster it is
    /// for, say. It is kept until the call is over.
    #[must_use]
    pub fn with<T: std::any::Any + PartialEq + Send + Sync>(mut self, attribute: T) -> Self {
        self.attributes.insert(attribute);
        self
    }
}

/// Asks a selector, whatever it does.
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
