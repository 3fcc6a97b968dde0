//! least_request (gRFC A48): each call goes to the endpoint with the fewest calls among a
//! few drawn at random.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::control::Control;
use super::members::{Members, Spread};
use super::policy::{Balance, Policy};
use crate::chance::Chance;
use crate::channel::call::ticket::{AttemptEnd, AttemptEnds, Ticket};
use crate::channel::pick::{Pick, PickArgs, Picker, Picks};
use crate::channel::subchannel::handle::Subchannel;

const LEAST_CHOICES: usize = 2;
const MOST_CHOICES: usize = 10;

/// Connects to each endpoint, and sends each call to the endpoint with the fewest calls of
/// this channel among a few drawn at random (gRFC A48). A slow server thus gets fewer
/// calls, without reporting anything.
///
/// Connections are kept as by [`RoundRobin`](crate::RoundRobin).
///
/// ```
/// # fn main() -> Result<(), grpc_runtime::ChannelError> {
/// use grpc_runtime::{Channel, ChannelCredentials, LeastRequest};
///
/// let channel = Channel::builder("dns:///shop.internal:50051")?
///     .balance(LeastRequest::new())
///     .build(ChannelCredentials::insecure())?;
/// # drop(channel);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct LeastRequest {
    choices: usize,
}

impl Default for LeastRequest {
    fn default() -> Self {
        Self {
            choices: LEAST_CHOICES,
        }
    }
}

impl LeastRequest {
    /// The default: the better of two.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many endpoints are drawn for each call; one may be drawn more than once. 2
    /// unless set; the range is 2 to 10, and other values are raised or lowered to it.
    #[must_use]
    pub fn choice_count(mut self, choices: usize) -> Self {
        self.choices = choices.clamp(LEAST_CHOICES, MOST_CHOICES);
        self
    }
}

impl Balance for LeastRequest {
    fn name(&self) -> &'static str {
        "least_request_experimental"
    }

    fn policy(&self) -> Box<dyn Policy> {
        Box::new(Members::new(LeastRequestSpread {
            choices: self.choices,
        }))
    }
}

/// The number of running calls of one endpoint.
#[derive(Debug, Default)]
struct EndpointCalls(AtomicUsize);

impl AttemptEnds for EndpointCalls {
    fn ended(&self, _token: u64, _end: &AttemptEnd<'_>) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Counts each endpoint's calls.
#[derive(Debug)]
struct LeastRequestSpread {
    choices: usize,
}

impl Spread for LeastRequestSpread {
    type Kept = Arc<EndpointCalls>;

    fn joined(&mut self) -> Arc<EndpointCalls> {
        Arc::default()
    }

    fn reconfigure(&mut self, balance: &dyn Balance) -> bool {
        let same = (balance as &dyn Any).downcast_ref::<LeastRequest>();
        if let Some(options) = same {
            self.choices = options.choices;
        }
        same.is_some()
    }

    fn picks(
        &mut self,
        ready: &[(&Subchannel, &Arc<EndpointCalls>)],
        _control: &mut Control<'_>,
    ) -> Picks {
        let ready = ready.iter();
        Picks::by(Fewest {
            ready: ready
                .map(|(subchannel, load)| ((*subchannel).clone(), Arc::clone(load)))
                .collect(),
            choices: self.choices,
            chance: Chance::default(),
        })
    }
}

struct Fewest {
    ready: Vec<(Subchannel, Arc<EndpointCalls>)>,
    choices: usize,
    chance: Chance,
}

impl Fewest {
    /// The index of the endpoint with the fewest calls among those drawn. `draw` returns
    /// random numbers of at least 0 and less than 1.
    fn choose(&self, mut draw: impl FnMut() -> f64) -> Option<&(Subchannel, Arc<EndpointCalls>)> {
        let drawn = (0..self.choices).filter_map(|_| {
            #[expect(
                clippy::cast_precision_loss,
                clippy::cast_sign_loss,
                reason = "a share of a length"
            )]
            let place = (draw() * self.ready.len() as f64) as usize;
            self.ready.get(place)
        });
        // Of several with the same number, the first one drawn.
        drawn.min_by_key(|(_, load)| load.0.load(Ordering::Relaxed))
    }
}

impl Picker for Fewest {
    fn pick(&self, _args: &PickArgs<'_>) -> Pick<'_> {
        let Some((subchannel, load)) = self.choose(|| self.chance.next()) else {
            return Pick::Wait;
        };
        load.0.fetch_add(1, Ordering::Relaxed);
        let ends = Arc::clone(load) as Arc<dyn AttemptEnds>;
        Pick::Use(subchannel, Some(Ticket::new(ends, 0)))
    }
}

#[cfg(test)]
mod tests;
