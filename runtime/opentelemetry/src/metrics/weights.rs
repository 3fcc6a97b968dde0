//! Metrics of the weights of `weighted_round_robin` (gRFC A78). Weights are computed about
//! once a second; labels are built each time.

use grpc_runtime::{UpdatedWeights, WeightState};
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram, Meter};

use super::instrument::{Choice, Instrument};
use super::optional_label::OptionalLabel;

/// Counts them.
pub(crate) struct Weights {
    fallbacks: Option<Counter<u64>>,
    not_yet_usable: Option<Counter<u64>>,
    stale: Option<Counter<u64>>,
    each: Option<Histogram<f64>>,
    has_locality: bool,
    has_backend_service: bool,
}

impl Weights {
    /// Nothing where none of its instruments is on.
    pub(crate) fn new(choice: &Choice, labels: &[OptionalLabel], meter: &Meter) -> Option<Self> {
        let weights = Self {
            fallbacks: choice.counter(meter, Instrument::WrrRoundRobinFallback),
            not_yet_usable: choice.counter(meter, Instrument::WrrEndpointWeightNotYetUsable),
            stale: choice.counter(meter, Instrument::WrrEndpointWeightStale),
            each: choice.fractions(meter, Instrument::WrrEndpointWeights),
            has_locality: labels.contains(&OptionalLabel::Locality),
            has_backend_service: labels.contains(&OptionalLabel::BackendService),
        };
        let counters = [&weights.fallbacks, &weights.not_yet_usable, &weights.stale];
        let has_any = weights.each.is_some() || counters.iter().any(|it| it.is_some());
        has_any.then_some(weights)
    }

    pub(crate) fn update(&self, target: String, update: &UpdatedWeights<'_>) {
        let mut labels = vec![KeyValue::new("grpc.target", target)];
        if self.has_locality {
            let locality = update.locality().to_owned();
            labels.push(KeyValue::new("grpc.lb.locality", locality));
        }
        if self.has_backend_service {
            let service = update.backend_service().to_owned();
            labels.push(KeyValue::new("grpc.lb.backend_service", service));
        }
        let of = |state| update.weights().iter().filter(move |it| **it == state);
        let count = |counter: &Option<Counter<u64>>, number: usize| {
            if let Some(counter) = counter.as_ref().filter(|_| number > 0) {
                counter.add(number as u64, &labels);
            }
        };
        count(&self.fallbacks, usize::from(update.is_round_robin()));
        count(&self.not_yet_usable, of(WeightState::NotYetUsable).count());
        count(&self.stale, of(WeightState::Stale).count());
        if let Some(each) = &self.each {
            for weight in update.weights() {
                each.record(weight.usable().unwrap_or_default(), &labels);
            }
        }
    }
}
