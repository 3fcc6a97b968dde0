//! The weights of a channel's endpoints, as observers are told of them (gRFC A78). Values.

/// What an endpoint counts for in the turns of `weighted_round_robin`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum WeightState {
    /// What its server's reports make of it: calls a second over how busy it is, above 0.
    Usable(f64),
    /// No report of use has come yet, or its blackout period is not over.
    NotYetUsable,
    /// The last report is older than the expiration period.
    Stale,
}

impl WeightState {
    /// The weight, if it is of use.
    pub fn usable(self) -> Option<f64> {
        match self {
            Self::Usable(weight) => Some(weight),
            Self::NotYetUsable | Self::Stale => None,
        }
    }
}

/// `weighted_round_robin` has made its turns, for the first time or anew: each time that
/// other endpoints are ready, and once in each
/// [`weight_update_period`](crate::WeightedRoundRobin::weight_update_period) while more than
/// one is.
#[derive(Clone, Copy, Debug)]
pub struct UpdatedWeights<'a> {
    pub(crate) target: &'a str,
    pub(crate) locality: &'a str,
    pub(crate) backend_service: &'a str,
    pub(crate) weights: &'a [WeightState],
}

impl<'a> UpdatedWeights<'a> {
    /// The channel's target with its scheme.
    pub fn target(&self) -> &'a str {
        self.target
    }

    /// Where the endpoints are, as their resolver says ([`Locality`](crate::Locality));
    /// empty where it says nothing.
    pub fn locality(&self) -> &'a str {
        self.locality
    }

    /// What the endpoints serve, as their resolver says
    /// ([`BackendService`](crate::BackendService)); empty where it says nothing.
    pub fn backend_service(&self) -> &'a str {
        self.backend_service
    }

    /// What each endpoint counts for that is ready. One without a weight of use counts as
    /// the mean of the others.
    pub fn weights(&self) -> &'a [WeightState] {
        self.weights
    }

    /// Whether calls go by turns as `round_robin` sends them, since fewer than two weights
    /// are of use.
    pub fn is_round_robin(&self) -> bool {
        let usable = self.weights.iter().filter_map(|weight| weight.usable());
        usable.count() < 2
    }
}
