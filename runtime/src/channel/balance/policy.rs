//! The seam for policies, the runtime's own and the user's.

use std::any::Any;
use std::fmt;

use super::control::Control;
use crate::call::load_report::LoadReport;
use crate::channel::address::{Attributes, Endpoint};
use crate::channel::subchannel::handle::Subchannel;
use crate::channel::subchannel::report::SubchannelState;
use crate::status::Status;

/// What a resolver found, for a policy.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Resolved {
    /// The target's servers, in the resolver's order.
    pub endpoints: Vec<Endpoint>,
    /// What the resolver says of all of them.
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
    /// What the policy is called, as `round_robin`.
    fn name(&self) -> &'static str;

    /// One policy, for one channel.
    fn policy(&self) -> Box<dyn Policy>;
}

impl fmt::Debug for dyn Balance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Balance({})", self.name())
    }
}

/// Spreads a channel's calls over its endpoints: it makes subchannels, hears what
/// becomes of them, and publishes pickers.
///
/// The channel calls one method at a time, from its own task; none may block. One that
/// panics ends the channel's calls with `INTERNAL`.
pub trait Policy: Send {
    /// The resolver found this. An error tells the resolver that it is of no use, so
    /// that it looks again after a while. What becomes of the calls is the policy's to
    /// say all the same: without an endpoint, those of the runtime fail them.
    fn update(&mut self, resolved: Resolved, control: &mut Control<'_>) -> Result<(), Status>;

    /// The resolver failed. One that has endpoints goes on with them; else it
    /// publishes [`Picks::fail`](crate::Picks::fail).
    fn resolution_failed(&mut self, status: Status, control: &mut Control<'_>);

    /// A subchannel's state has changed.
    fn changed(
        &mut self,
        subchannel: &Subchannel,
        state: SubchannelState,
        control: &mut Control<'_>,
    );

    /// The program wants connections though no call needs one.
    fn connect(&mut self, control: &mut Control<'_>);

    /// A moment has come that it asked to be woken at
    /// ([`Control::wake_at`](crate::Control::wake_at)), or one that another policy
    /// beside it in the same channel asked for: it looks at the time. The default does
    /// nothing.
    fn timer(&mut self, _control: &mut Control<'_>) {}

    /// A subchannel's server has reported its load, which
    /// [`Control::report_load`](crate::Control::report_load) asked for. The default does
    /// nothing.
    fn load_reported(
        &mut self,
        _subchannel: &Subchannel,
        _report: &LoadReport,
        _control: &mut Control<'_>,
    ) {
    }

    /// The channel's service config names this policy again, and `balance` has its
    /// options, which may be others. `true` if it goes on with those and all that it
    /// has; an [`update`](Self::update) follows. `false`, unless it is written: another
    /// policy of `balance`'s is made, and takes over once it is no longer connecting.
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

    /// There is no more to hear for now. One that publishes a picker over very many
    /// endpoints does so here, once for all that it heard. The default does
    /// nothing.
    fn settled(&mut self, _control: &mut Control<'_>) {}
}
