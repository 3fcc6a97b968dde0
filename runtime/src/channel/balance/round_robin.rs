//! round_robin: a connection to each endpoint, and calls in turn to the ready ones.

use std::any::Any;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::control::Control;
use super::members::{Members, Spread};
use super::policy::{Balance, Policy};
use crate::channel::pick::{Pick, PickArgs, Picker, Picks};
use crate::channel::subchannel::handle::Subchannel;

/// Connects to each endpoint, and sends calls in turn to those that are ready. A lost
/// connection is established again at once; after a failed attempt the endpoint is tried
/// again after each backoff. The turns start at a random endpoint, so that many clients do
/// not start with the same server.
///
/// ```
/// # fn main() -> Result<(), grpc_runtime::ChannelError> {
/// use grpc_runtime::{Channel, ChannelCredentials, RoundRobin};
///
/// let channel = Channel::builder("dns:///shop.internal:50051")?
///     .balance(RoundRobin::new())
///     .build(ChannelCredentials::insecure())?;
/// # drop(channel);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct RoundRobin(());

impl RoundRobin {
    /// A policy without options.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Balance for RoundRobin {
    fn name(&self) -> &'static str {
        "round_robin"
    }

    fn policy(&self) -> Box<dyn Policy> {
        Box::new(Members::new(RoundRobinSpread))
    }
}

/// Keeps no data for an endpoint.
#[derive(Debug)]
struct RoundRobinSpread;

impl Spread for RoundRobinSpread {
    type Kept = ();

    fn joined(&mut self) {}

    /// The policy has no options, so it can always continue.
    fn reconfigure(&mut self, balance: &dyn Balance) -> bool {
        (balance as &dyn Any).is::<RoundRobin>()
    }

    fn picks(&mut self, ready: &[(&Subchannel, &())], control: &mut Control<'_>) -> Picks {
        let ready: Vec<_> = ready.iter().map(|(it, ())| (*it).clone()).collect();
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_sign_loss,
            reason = "a share of a length"
        )]
        let first = (control.random() * ready.len() as f64) as usize;
        let next = AtomicUsize::new(first);
        Picks::by(RoundRobinPicker { ready, next })
    }
}

struct RoundRobinPicker {
    ready: Vec<Subchannel>,
    next: AtomicUsize,
}

impl Picker for RoundRobinPicker {
    fn pick(&self, _args: &PickArgs<'_>) -> Pick<'_> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        match self.ready.get(turn % self.ready.len().max(1)) {
            Some(subchannel) => Pick::Use(subchannel, None),
            None => Pick::Wait,
        }
    }
}

#[cfg(test)]
mod tests;
