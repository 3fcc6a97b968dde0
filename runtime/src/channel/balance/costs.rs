//! Measures what a pick costs with each policy, with few endpoints and with many, for
//! changes of policies and for PERFORMANCE.md (`tests/bench/picks.py`):
//!
//! ```text
//! cargo test --release -p grpc-runtime --all-features what_a_pick_costs -- --ignored --nocapture
//! ```

use std::time::Duration;

use super::bench::Bench;
use super::ejections::FailurePercentageEjection;
use super::least_request::LeastRequest;
use super::outlier_detection::OutlierDetection;
use super::pick_first::PickFirst;
use super::policy::Balance;
use super::round_robin::RoundRobin;
use super::weighted_round_robin::WeightedRoundRobin;
use crate::call::load_report::LoadReport;
use crate::channel::call::ticket::AttemptEnd;
use crate::code::Code;
use crate::metadata::Metadata;

const PICKS: u32 = 200_000;

/// The events of a policy before it is timed.
type Prepare = fn(&mut Bench, u16);

fn cost(name: &str, balance: &dyn Balance, prepare: Prepare) {
    let of = |endpoints: u16| {
        let names: Vec<_> = (1..=endpoints).map(|name| name.to_string()).collect();
        let mut bench = Bench::new(balance);
        bench.found(&names.join(" ")).unwrap();
        bench.news();
        // One settling for all events.
        bench.ready_all(&bench.all());
        bench.news();
        prepare(&mut bench, endpoints);
        bench.news();
        let metadata = Metadata::from_pairs([("x-key", "user-42")]).unwrap();
        let times = (0..5).map(|_| bench.time_of(PICKS, metadata.clone()));
        let best = times.min().unwrap_or(Duration::ZERO);
        best.as_secs_f64() * 1e9 / f64::from(PICKS)
    };
    let (few, many) = (of(3), of(1_000));
    println!("{name:36} {few:6.1} ns of 3, {many:6.1} ns of 1,000");
}

/// No further events.
fn as_it_is(_bench: &mut Bench, _endpoints: u16) {}

/// A call to each endpoint, whose servers report different utilizations.
fn reports(bench: &mut Bench, endpoints: u16) {
    for number in 0..endpoints {
        let mut trailing = Metadata::new();
        LoadReport::new()
            .set_qps(100.0)
            .set_cpu_utilization(0.1 + f64::from(number % 8) / 10.0)
            .write(&mut trailing);
        let (_, ticket) = bench.begin(Metadata::new());
        ticket.unwrap().end(&AttemptEnd {
            code: Code::Ok,
            trailing_metadata: Some(&trailing),
        });
    }
    bench.pass(Duration::from_secs(2));
}

#[test]
#[ignore = "a measurement"]
fn what_a_pick_costs() {
    cost("pick_first", &PickFirst::new(), as_it_is);
    cost("round_robin", &RoundRobin::new(), as_it_is);
    let weighted = WeightedRoundRobin::new().blackout_period(Duration::ZERO);
    cost("weighted_round_robin, no reports", &weighted, as_it_is);
    cost("weighted_round_robin, with reports", &weighted, reports);
    cost("least_request", &LeastRequest::new(), as_it_is);
    #[cfg(feature = "ring-hash")]
    {
        use super::random_subsetting::RandomSubsetting;
        use super::ring_hash::RingHash;

        cost("ring_hash, by chance", &RingHash::new(), as_it_is);
        let by_key = RingHash::new().request_hash_header("x-key").unwrap();
        cost("ring_hash, by a key", &by_key, as_it_is);
        let subset = RandomSubsetting::new(20, RoundRobin::new());
        cost("random_subsetting to round_robin", &subset, as_it_is);
    }
    let by = FailurePercentageEjection::new();
    let outliers = OutlierDetection::new(RoundRobin::new()).failure_percentage(by);
    cost("outlier_detection of round_robin", &outliers, as_it_is);
}
