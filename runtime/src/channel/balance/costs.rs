//! What a pick costs by each policy, with few endpoints and with many, for those who
//! change one:
//!
//! ```text
//! cargo test --release -p grpc-runtime --all-features what_a_pick_costs -- --ignored --nocapture
//! ```

use std::time::Duration;

use super::bench::Bench;
use super::ejections::FailurePercentageEjection;
use super::least_request::LeastRequest;
use super::outlier_detection::OutlierDetection;
use super::policy::Balance;
use super::round_robin::RoundRobin;
use super::weighted_round_robin::WeightedRoundRobin;
use crate::metadata::Metadata;

const PICKS: u32 = 200_000;

fn cost(name: &str, balance: &dyn Balance) {
    let of = |endpoints: u16| {
        let names: Vec<_> = (1..=endpoints).map(|name| name.to_string()).collect();
        let mut bench = Bench::new(balance);
        bench.found(&names.join(" ")).unwrap();
        // Once for all that it hears.
        let all: Vec<_> = names.iter().map(|name| bench.subchannel(name)).collect();
        bench.news();
        bench.ready_all(&all);
        bench.news();
        let metadata = Metadata::from_pairs([("x-key", "user-42")]).unwrap();
        let times = (0..5).map(|_| bench.time_of(PICKS, metadata.clone()));
        times.min().unwrap_or(Duration::ZERO).as_nanos() / u128::from(PICKS)
    };
    println!("{name:28} {:4} ns of 3, {:4} ns of 1,000", of(3), of(1_000));
}

#[test]
#[ignore = "a measurement"]
fn what_a_pick_costs() {
    cost("round_robin", &RoundRobin::new());
    cost("least_request", &LeastRequest::new());
    cost("weighted_round_robin", &WeightedRoundRobin::new());
    let by = FailurePercentageEjection::new();
    let outliers = OutlierDetection::new(RoundRobin::new()).failure_percentage(by);
    cost("outlier_detection of it", &outliers);
    #[cfg(feature = "ring-hash")]
    {
        use super::ring_hash::RingHash;

        cost("ring_hash, by chance", &RingHash::new());
        let by_key = RingHash::new().request_hash_header("x-key").unwrap();
        cost("ring_hash, by a key", &by_key);
    }
}
