//! Load out of band as its clients see it: the contract, case by case.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::time::Duration;

use grpc_runtime::prost_types;
use grpc_runtime::{
    Channel, ChannelCredentials, Code, Context, LoadReport, Method, Receiver, Server, Service,
    ServiceConfig, Status, UnaryCall, WeightedRoundRobin,
};
use grpc_services::OutOfBandLoad;
use grpc_services::proto::xds::service::orca::v3::{OpenRcaServiceStub, OrcaLoadReportRequest};
use grpc_testing::{Host, Network};
use tokio::time::{Instant, sleep};

const SECOND: Duration = Duration::from_secs(1);

async fn serve(load: &OutOfBandLoad) -> (Network, Host, OpenRcaServiceStub) {
    let network = Network::new(7);
    let server = Server::builder().add_service(load.service());
    let host = network.bind("shop", server).await.unwrap();
    let channel = Channel::builder("passthrough:///shop")
        .unwrap()
        .connector(network.connector("client"))
        .build(ChannelCredentials::insecure())
        .unwrap();
    (network, host, OpenRcaServiceStub::new(channel))
}

fn ask(stub: &OpenRcaServiceStub, interval: Option<(i64, i32)>) -> Receiver<LoadReport> {
    let interval = interval.map(|(seconds, nanos)| prost_types::Duration { seconds, nanos });
    let request = OrcaLoadReportRequest {
        report_interval: interval,
        request_cost_names: Vec::new(),
    };
    stub.stream_core_metrics(request).start()
}

async fn next(reports: &mut Receiver<LoadReport>) -> LoadReport {
    reports.next().await.unwrap().unwrap()
}

fn busy(share: f64) -> LoadReport {
    let mut report = LoadReport::new();
    report.set_cpu_utilization(share).set_qps(100.0);
    report
}

#[tokio::test(start_paused = true)]
async fn a_report_comes_at_once_and_then_with_each_interval() {
    let load = OutOfBandLoad::new();
    load.set(busy(0.25));
    let (_network, _host, stub) = serve(&load).await;
    let began = Instant::now();
    let mut reports = ask(&stub, Some((40, 0)));
    assert_eq!(next(&mut reports).await, busy(0.25));
    assert!(began.elapsed() < SECOND, "{:?}", began.elapsed());
    // The last of several counts, and nothing of those before.
    load.set(busy(0.5));
    let mut other = LoadReport::new();
    other.set_named_metric("books", 7.0);
    load.set(other.clone());
    assert_eq!(next(&mut reports).await, other);
    assert_eq!(began.elapsed().as_secs(), 40);
    // What has not changed is reported too.
    assert_eq!(next(&mut reports).await, other);
    assert_eq!(began.elapsed().as_secs(), 80);
}

#[tokio::test(start_paused = true)]
async fn an_interval_below_the_least_is_raised_to_it() {
    let (_network, _host, stub) = serve(&OutOfBandLoad::new()).await;
    let asked = [
        None,
        Some((0, 0)),
        Some((-5, 0)),
        Some((29, 999_999_999)),
        Some((1, 0)),
    ];
    for interval in asked {
        let mut reports = ask(&stub, interval);
        assert_eq!(next(&mut reports).await, LoadReport::new());
        let began = Instant::now();
        next(&mut reports).await;
        assert_eq!(began.elapsed().as_secs(), 30, "{interval:?}");
    }
    for (least, holds) in [(SECOND, 1_000), (Duration::ZERO, 1)] {
        let load = OutOfBandLoad::new().least_interval(least);
        let (_network, _host, stub) = serve(&load).await;
        let mut reports = ask(&stub, None);
        next(&mut reports).await;
        let began = Instant::now();
        next(&mut reports).await;
        assert_eq!(began.elapsed().as_millis(), holds);
    }
}

#[tokio::test(start_paused = true)]
async fn an_interval_beyond_every_clock_is_never_over() {
    let (_network, _host, stub) = serve(&OutOfBandLoad::new()).await;
    for interval in [(i64::MAX, i32::MAX), (315_576_000_000, 0)] {
        let mut reports = ask(&stub, Some(interval));
        next(&mut reports).await;
        let more = tokio::time::timeout(100_000 * SECOND, reports.next()).await;
        assert!(more.is_err(), "{more:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_reports_ends_with_its_server() {
    let (_network, host, stub) = serve(&OutOfBandLoad::new()).await;
    let mut reports = ask(&stub, None);
    next(&mut reports).await;
    let began = Instant::now();
    let report = host.shutdown(Duration::from_secs(3_600)).await;
    assert_eq!(report.calls_cut, 0);
    assert!(began.elapsed() < 60 * SECOND, "{:?}", began.elapsed());
    let status = reports.next().await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
}

const GET: Method = Method::unary("/shop.Orders/Get");

async fn get(name: &String, _: (), _: &mut Context) -> Result<String, Status> {
    Ok(name.clone())
}

/// Our own channel, which balances by it.
#[tokio::test(start_paused = true)]
async fn calls_go_where_reports_say_that_there_is_room() {
    let network = Network::new(7);
    let mut hosts = Vec::new();
    for (name, share) in [("idle", 0.1), ("busy", 0.9)] {
        let load = OutOfBandLoad::new();
        load.set(busy(share));
        let orders = Service::builder("shop.Orders", Arc::new(name.to_owned()));
        let server = Server::builder()
            .add_service(orders.unary(GET, get).build())
            .add_service(load.service());
        hosts.push(network.bind(name, server).await.unwrap());
    }
    let balance = WeightedRoundRobin::new()
        .oob_reporting_period(30 * SECOND)
        .blackout_period(Duration::ZERO);
    let config = ServiceConfig::builder().balance(balance).build().unwrap();
    let channel = Channel::builder("fleet:///all")
        .unwrap()
        .resolver(Both)
        .connector(network.connector("client"))
        .service_config(config)
        .build(ChannelCredentials::insecure())
        .unwrap();
    let call = || UnaryCall::<String>::new(&channel, GET, &());
    call().await.unwrap();
    sleep(120 * SECOND).await;
    let mut at_idle = 0;
    for _ in 0..100 {
        at_idle += usize::from(call().await.unwrap() == "idle");
    }
    assert!((85..=95).contains(&at_idle), "{at_idle} of 100");
}

/// Two servers.
struct Both;

impl grpc_runtime::Resolver for Both {
    fn scheme(&self) -> &'static str {
        "fleet"
    }

    async fn resolve(&self, _: &grpc_runtime::Target, mut updates: grpc_runtime::Updates) {
        let address = |name: &str| grpc_runtime::Address::Other(name.into());
        let endpoints = ["idle", "busy"].map(|name| grpc_runtime::Endpoint::new(address(name)));
        let _ = updates.send(grpc_runtime::Resolution::new(endpoints)).await;
        std::future::pending().await
    }
}
