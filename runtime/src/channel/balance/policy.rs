//! The traits for balancing policies, the runtime's and a program's own.

use std::any::Any;
use std::fmt;

use super::control::Control;
use crate::call::load_report::LoadReport;
use crate::channel::address::{Attributes, Endpoint};
use crate::channel::subchannel::handle::Subchannel;
use crate::channel::subchannel::report::SubchannelState;
use crate::status::Status;

/// A resolver's result, for a policy.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Resolved {
    /// The target's servers, in the resolver's order.
    pub endpoints: Vec<Endpoint>,
    /// The resolver's attributes of all endpoints.
    pub attributes: Attributes,
}

impl Resolved {
    pub(crate) fn new(endpoints: Vec<Endpoint>, attributes: Attributes) -> Self {
        Self {
            endpoints,
            attributes,
        }
    }
}

/// Makes a channel's [`Policy`];
/// [`ChannelBuilder::balance`](crate::ChannelBuilder::balance) takes it.
pub trait Balance: Any + Send + Sync {
    /// The policy's name, such as `round_robin`.
    fn name(&self) -> &'static str;

    /// Creates a policy for one channel.
    fn policy(&self) -> Box<dyn Policy>;
}

impl fmt::Debug for dyn Balance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Balance({})", self.name())
    }
}

/// Spreads a channel's calls over its endpoints: it creates subchannels, is told of their
/// states, and publishes pickers.
///
/// The channel calls one method at a time, from its task; none may block. If one panics,
/// the channel's calls fail with `INTERNAL`.
pub trait Policy: Send {
    /// The resolver has a new result. An error tells the resolver that the result is
    /// unusable, so that it resolves again after a while. The policy still decides about
    /// calls: without an endpoint, the runtime's policies fail them.
    fn update(&mut self, resolved: Resolved, control: &mut Control<'_>) -> Result<(), Status>;

    /// The resolver failed. A policy that has endpoints keeps using them; otherwise it
    /// publishes [`Picks::fail`](crate::Picks::fail).
    fn resolution_failed(&mut self, status: Status, control: &mut Control<'_>);

    /// A subchannel's state has changed.
    fn changed(
        &mut self,
        subchannel: &Subchannel,
        state: SubchannelState,
        control: &mut Control<'_>,
    );

    /// The program wants connections although no call needs one.
    fn connect(&mut self, control: &mut Control<'_>);

    /// A time has come that this policy requested by
    /// [`Control::wake_at`](crate::Control::wake_at), or that another policy of the same
    /// channel requested: compare with the present time. The default does nothing.
    fn timer(&mut self, _control: &mut Control<'_>) {}

    /// A subchannel's server has reported its load, as requested by
    /// [`Control::report_load`](crate::Control::report_load). The default does nothing.
    fn load_reported(
        &mut self,
        _subchannel: &Subchannel,
        _report: &LoadReport,
        _control: &mut Control<'_>,
    ) {
    }

    /// The channel's service config names this policy again, and `balance` has its options,
    /// which may differ. `true` if the policy takes over the options and keeps its state;
    /// an [`update`](Self::update) follows. With `false`, the default, a new policy of
    /// `balance` is created, and replaces this one once it is no longer connecting.
    ///
    /// ```
    /// use std::any::Any;
    ///
    /// use grpc_runtime::{Balance, PickFirst};
    ///
    /// fn options(balance: &dyn Balance) -> Option<&PickFirst> {
    ///     (balance as &dyn Any).downcast_ref()
    /// }
    ///
    /// assert!(options(&PickFirst::new()).is_some());
    /// ```
    fn reconfigure(&mut self, _balance: &dyn Balance) -> bool {
        false
    }

    /// There are no more events for now. A policy with very many endpoints publishes its
    /// picker here, once for all events before. The default does nothing.
    fn settled(&mut self, _control: &mut Control<'_>) {}
}
