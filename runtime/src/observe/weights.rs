//! Values for observers: the weights of a channel's endpoints (gRFC A78).

/// The weight of an endpoint in `weighted_round_robin`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum WeightState {
    /// The weight from its server's load reports: calls a second divided by utilization,
    /// above 0.
    Usable(f64),
    /// No usable report has come yet, or the blackout period is not over.
    NotYetUsable,
    /// The last report is older than the expiration period.
    Stale,
}

impl WeightState {
    /// The weight, if it is usable.
    pub fn usable(self) -> Option<f64> {
        match self {
            Self::Usable(weight) => Some(weight),
            Self::NotYetUsable | Self::Stale => None,
        }
    }
}

/// `weighted_round_robin` has computed its schedule: each time that the set of ready
/// endpoints changes, and once in each
/// [`weight_update_period`](crate::WeightedRoundRobin::weight_update_period) while more than
/// one endpoint is ready.
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

    /// The locality of the endpoints, from their resolver ([`Locality`](crate::Locality));
    /// empty if the resolver sets none.
    pub fn locality(&self) -> &'a str {
        self.locality
    }

    /// The backend service of the endpoints, from their resolver
    /// ([`BackendService`](crate::BackendService)); empty if the resolver sets none.
    pub fn backend_service(&self) -> &'a str {
        self.backend_service
    }

    /// The weight of each ready endpoint. An endpoint without a usable weight gets the mean
    /// of the others.
    pub fn weights(&self) -> &'a [WeightState] {
        self.weights
    }

    /// Whether calls go to the endpoints as with `round_robin`, because fewer than two
    /// weights are usable.
    pub fn is_round_robin(&self) -> bool {
        let usable = self.weights.iter().filter_map(|weight| weight.usable());
        usable.count() < 2
    }
}
