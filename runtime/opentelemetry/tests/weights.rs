//! Values of A78's instruments for the weights of `weighted_round_robin`.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use grpc_opentelemetry::{Instrument, Metrics, MetricsBuilder, OptionalLabel};
use grpc_runtime::{
    Address, Attributes, BackendService, Channel, ChannelCredentials, Endpoint, LoadReport,
    Locality, Metadata, Resolution, Resolver, Target, UnaryCall, Updates, WeightedRoundRobin,
};
use grpc_testing::{Host, Network, Reply, Script};

use support::{Collected, GET, SECOND, text};

const TARGET: &str = "listed:///all";
const FALLBACKS: &str = "grpc.lb.wrr.rr_fallback";
const NOT_YET_USABLE: &str = "grpc.lb.wrr.endpoint_weight_not_yet_usable";
const STALE: &str = "grpc.lb.wrr.endpoint_weight_stale";
const WEIGHTS: &str = "grpc.lb.wrr.endpoint_weights";

/// The servers `a` and `b`, and what is known of both.
struct Listed(Attributes);

impl Resolver for Listed {
    fn scheme(&self) -> &'static str {
        "listed"
    }

    async fn resolve(&self, _target: &Target, mut updates: Updates) {
        let names = ["a", "b"].map(|name| Endpoint::new(Address::Other(name.into())));
        let found = Resolution::new(names).attributes(self.0.clone());
        let _ = updates.send(found).await;
        std::future::pending::<()>().await;
    }
}

/// A channel that spreads its calls over two servers, by what these report that they could
/// do in a second, if they report anything.
struct Shop {
    channel: Channel,
    collected: Collected,
    _hosts: Vec<Host>,
}

impl Shop {
    async fn open(
        could_do: [Option<f64>; 2],
        policy: WeightedRoundRobin,
        attributes: Attributes,
        builder: MetricsBuilder,
    ) -> Self {
        let network = Network::new(7);
        let collected = Collected::new(builder);
        let mut hosts = Vec::new();
        for (name, could_do) in ["a", "b"].into_iter().zip(could_do) {
            let mut metadata = Metadata::new();
            if let Some(calls) = could_do {
                let mut report = LoadReport::new();
                report.set_qps(calls / 2.0).set_cpu_utilization(0.5);
                report.write(&mut metadata);
            }
            let reply = Reply::message(&text("a book")).trailing_metadata(metadata);
            let server = Script::new().on(GET.path(), reply).server();
            hosts.push(network.bind(name, server).await.unwrap());
        }
        let channel = Channel::builder(TARGET)
            .unwrap()
            .resolver(Listed(attributes))
            .connector(network.connector("client"))
            .balance(policy)
            .observe(collected.metrics.clone())
            .build(ChannelCredentials::insecure())
            .unwrap();
        let shop = Self {
            channel,
            collected,
            _hosts: hosts,
        };
        // Both are connected, and each has calls.
        for _ in 0..10 {
            let call = UnaryCall::<String>::new(&shop.channel, GET, &text("go"));
            call.wait_for_ready().timeout(SECOND).await.unwrap();
            tokio::time::sleep(SECOND / 100).await;
        }
        shop
    }

    /// By instrument what ten more seconds have counted: how many there were, and their sum.
    async fn after_ten_seconds(&self) -> BTreeMap<String, (u64, f64)> {
        let now = || -> BTreeMap<String, (u64, f64)> {
            let all = self.collected.all().into_iter();
            all.filter(|(name, _)| name.starts_with("grpc.lb."))
                .map(|(name, (_, _, points))| {
                    assert_eq!(points.len(), 1, "{name}");
                    assert_eq!(points[0].labels["grpc.target"], TARGET);
                    (name, (points[0].count, points[0].sum))
                })
                .collect()
        };
        let before = now();
        tokio::time::sleep(10 * SECOND).await;
        let less = |(name, (count, sum)): (String, (u64, f64))| {
            let (counted, added) = before.get(&name).copied().unwrap_or_default();
            (name, (count - counted, sum - added))
        };
        let difference = now().into_iter().map(less);
        difference.filter(|(_, (count, _))| *count > 0).collect()
    }
}

fn with_a78() -> MetricsBuilder {
    let names = [FALLBACKS, NOT_YET_USABLE, STALE, WEIGHTS];
    Metrics::builder().enable(names.map(|name| name.parse::<Instrument>().unwrap()))
}

fn at_once() -> WeightedRoundRobin {
    WeightedRoundRobin::new().blackout_period(Duration::ZERO)
}

fn expect<const N: usize>(rows: [(&str, u64, f64); N]) -> BTreeMap<String, (u64, f64)> {
    rows.map(|(name, count, sum)| (name.to_owned(), (count, sum)))
        .into()
}

#[tokio::test(start_paused = true)]
async fn the_weights_of_servers_that_report_are_told_once_a_second() {
    let could_do = [Some(100.0), Some(300.0)];
    let shop = Shop::open(could_do, at_once(), Attributes::default(), with_a78()).await;
    tokio::time::sleep(SECOND).await;
    let both = expect([(WEIGHTS, 20, 4_000.0)]);
    assert_eq!(shop.after_ten_seconds().await, both);

    // 100 is in the bucket up to 100, and 300 in the one from 250 up to 500.
    let all = shop.collected.all();
    let point = &all[WEIGHTS].2[0];
    let of = |weight: f64| point.bounds.iter().position(|it| *it >= weight).unwrap();
    let before = point.buckets.clone();
    shop.after_ten_seconds().await;
    let all = shop.collected.all();
    let buckets = all[WEIGHTS].2[0].buckets.iter().zip(&before);
    let added: Vec<_> = buckets.map(|(now, before)| now - before).collect();
    let mut expected = vec![0; added.len()];
    (expected[of(100.0)], expected[of(300.0)]) = (10, 10);
    assert_eq!(added, expected);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_reports_nothing_leaves_round_robin() {
    let could_do = [Some(100.0), None];
    let shop = Shop::open(could_do, at_once(), Attributes::default(), with_a78()).await;
    tokio::time::sleep(SECOND).await;
    let expected = expect([
        (FALLBACKS, 10, 10.0),
        (NOT_YET_USABLE, 10, 10.0),
        (WEIGHTS, 20, 1_000.0),
    ]);
    assert_eq!(shop.after_ten_seconds().await, expected);
}

#[tokio::test(start_paused = true)]
async fn weights_are_not_usable_in_their_blackout_period_and_go_stale() {
    let could_do = [Some(100.0), Some(300.0)];
    let policy = WeightedRoundRobin::new()
        .blackout_period(11 * SECOND)
        .weight_expiration_period(23 * SECOND);
    let shop = Shop::open(could_do, policy, Attributes::default(), with_a78()).await;
    let blackout = expect([
        (FALLBACKS, 10, 10.0),
        (NOT_YET_USABLE, 20, 20.0),
        (WEIGHTS, 20, 0.0),
    ]);
    assert_eq!(shop.after_ten_seconds().await, blackout);
    tokio::time::sleep(2 * SECOND).await;
    let usable = expect([(WEIGHTS, 20, 4_000.0)]);
    assert_eq!(shop.after_ten_seconds().await, usable);
    tokio::time::sleep(2 * SECOND).await;
    let stale = expect([(FALLBACKS, 10, 10.0), (STALE, 20, 20.0), (WEIGHTS, 20, 0.0)]);
    assert_eq!(shop.after_ten_seconds().await, stale);
}

#[tokio::test(start_paused = true)]
async fn where_servers_are_and_what_they_serve_is_told_by_choice() {
    let builder = || {
        with_a78()
            .optional_label(OptionalLabel::Locality)
            .optional_label(OptionalLabel::BackendService)
    };
    let lines = async |attributes, builder| {
        let shop = Shop::open([None; 2], at_once(), attributes, builder).await;
        let lines = shop.collected.lines(FALLBACKS);
        assert_eq!(lines.len(), 1);
        let (labels, _) = lines[0].split_once('}').unwrap();
        labels.trim_start_matches('{').to_owned()
    };
    let place = r#"{region="eu", zone="eu-1", sub_zone=""#;
    let mut attributes = Attributes::default();
    attributes.insert(Locality(place.to_owned()));
    attributes.insert(BackendService(text("orders-v2")));
    assert_eq!(
        lines(attributes.clone(), builder()).await,
        format!("grpc.lb.backend_service=orders-v2 grpc.lb.locality={place} grpc.target={TARGET}")
    );
    assert_eq!(
        lines(Attributes::default(), builder()).await,
        format!("grpc.lb.backend_service= grpc.lb.locality= grpc.target={TARGET}")
    );
    assert_eq!(
        lines(attributes.clone(), with_a78()).await,
        format!("grpc.target={TARGET}")
    );
    let filtered = with_a78().target_filter(|_| false);
    assert_eq!(lines(attributes, filtered).await, "grpc.target=other");
}

#[tokio::test(start_paused = true)]
async fn what_is_told_is_what_a78_has() {
    let policy = at_once().weight_expiration_period(2 * SECOND);
    let could_do = [Some(100.0), Some(300.0)];
    let shop = Shop::open(could_do, policy, Attributes::default(), with_a78()).await;
    tokio::time::sleep(3 * SECOND).await;
    // A78's list; it names no buckets, and OpenTelemetry's own are the default.
    let default = [
        0., 5., 10., 25., 50., 75., 100., 250., 500., 750., 1e3, 2.5e3, 5e3, 7.5e3, 1e4,
    ];
    let expected: [(&str, &str, &[f64]); 4] = [
        (NOT_YET_USABLE, "{endpoint}", &[]),
        (STALE, "{endpoint}", &[]),
        (WEIGHTS, "{weight}", &default),
        (FALLBACKS, "{update}", &[]),
    ];
    let mut all = shop.collected.all();
    all.retain(|name, _| name.starts_with("grpc.lb."));
    assert_eq!(all.len(), expected.len());
    for ((name, (unit, description, points)), expected) in all.iter().zip(expected) {
        let of = (name.as_str(), unit.as_str(), &*points[0].bounds);
        assert_eq!(of, expected);
        let instrument: Instrument = name.parse().unwrap();
        assert!(!instrument.is_on_by_default());
        assert_eq!(instrument.unit(), unit);
        assert_eq!(instrument.description(), description);
        assert_eq!(instrument.buckets(), expected.2);
    }
    let none = Shop::open(
        could_do,
        at_once(),
        Attributes::default(),
        Metrics::builder(),
    )
    .await;
    let all = none.collected.all();
    assert!(!all.keys().any(|name| name.contains("wrr")), "{all:?}");
}
