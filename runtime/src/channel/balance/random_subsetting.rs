//! random_subsetting (gRFC A68): each client uses a small subset of the endpoints, with
//! another policy.

use std::any::Any;
use std::collections::HashSet;
use std::sync::Arc;

use super::control::Control;
use super::policy::{Balance, Policy, Resolved};
use super::ring::hash;
use super::switch::Switch;
use crate::call::load_report::LoadReport;
use crate::channel::address::Endpoint;
use crate::channel::subchannel::handle::Subchannel;
use crate::channel::subchannel::report::SubchannelState;
use crate::status::Status;

/// Lets another policy use only a few endpoints, drawn at random for each channel (gRFC
/// A68). Without it, each of many servers has a connection from each of many clients. The
/// more clients there are, the more evenly they spread over the servers.
///
/// When an endpoint is added or removed, at most one endpoint of a channel's subset
/// changes. Needs the feature `ring-hash`.
///
/// ```
/// # fn main() -> Result<(), grpc_runtime::ChannelError> {
/// use grpc_runtime::{Channel, ChannelCredentials, RandomSubsetting, RoundRobin};
///
/// let channel = Channel::builder("dns:///shop.internal:50051")?
///     .balance(RandomSubsetting::new(20, RoundRobin::new()))
///     .build(ChannelCredentials::insecure())?;
/// # drop(channel);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct RandomSubsetting {
    size: usize,
    child: Arc<dyn Balance>,
}

impl RandomSubsetting {
    /// At most `subset_size` endpoints, at least 1, used by the policy `child`.
    pub fn new(subset_size: usize, child: impl Balance) -> Self {
        Self::over(subset_size, Arc::new(child))
    }

    pub(crate) fn over(subset_size: usize, child: Arc<dyn Balance>) -> Self {
        let size = subset_size.max(1);
        Self { size, child }
    }
}

impl Balance for RandomSubsetting {
    fn name(&self) -> &'static str {
        "random_subsetting_experimental"
    }

    fn policy(&self) -> Box<dyn Policy> {
        Box::new(Subset {
            options: self.clone(),
            children: Switch::new(Arc::clone(&self.child)),
            seed: None,
        })
    }
}

/// The policy of one channel.
struct Subset {
    options: RandomSubsetting,
    children: Switch,
    /// Drawn once.
    seed: Option<u64>,
}

/// The `size` endpoints with the lowest hashes. An endpoint that is listed twice counts
/// once.
fn subset(endpoints: &mut Vec<Endpoint>, size: usize, seed: u64) {
    endpoints.retain(|endpoint| !endpoint.addresses().is_empty());
    if endpoints.len() <= size {
        return;
    }
    let place = |endpoint: &Endpoint| hash(seed, endpoint.hash_name().as_bytes());
    endpoints.sort_by_cached_key(place);
    let mut known = HashSet::new();
    endpoints.retain(|endpoint| {
        let place = place(endpoint);
        known.contains(&place) || known.len() < size && known.insert(place)
    });
}

impl Policy for Subset {
    fn update(&mut self, mut resolved: Resolved, control: &mut Control<'_>) -> Result<(), Status> {
        #[expect(clippy::cast_sign_loss, reason = "from 0 on")]
        let half = || (control.random() * f64::from(u32::MAX)) as u64;
        let seed = *self.seed.get_or_insert_with(|| half() << 32 | half());
        subset(&mut resolved.endpoints, self.options.size, seed);
        self.children.update(&self.options.child, resolved, control)
    }

    fn resolution_failed(&mut self, status: Status, control: &mut Control<'_>) {
        self.children.resolution_failed(status, control);
    }

    fn changed(
        &mut self,
        subchannel: &Subchannel,
        state: SubchannelState,
        control: &mut Control<'_>,
    ) {
        self.children.changed(subchannel, state, control);
    }

    fn load_reported(
        &mut self,
        subchannel: &Subchannel,
        report: &LoadReport,
        control: &mut Control<'_>,
    ) {
        self.children.load_reported(subchannel, report, control);
    }

    fn connect(&mut self, control: &mut Control<'_>) {
        self.children.connect(control);
    }

    fn reconfigure(&mut self, balance: &dyn Balance) -> bool {
        let same = (balance as &dyn Any).downcast_ref::<RandomSubsetting>();
        if let Some(options) = same {
            self.options = options.clone();
        }
        same.is_some()
    }

    fn timer(&mut self, control: &mut Control<'_>) {
        self.children.timer(control);
    }

    fn settled(&mut self, control: &mut Control<'_>) {
        self.children.settled(control);
    }
}

#[cfg(test)]
mod tests;
