//! Health as its clients see it: the contract, case by case.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::time::Duration;

use grpc_runtime::{
    Channel, ChannelCredentials, Code, Http2Options, Receiver, RoundRobin, Server, ServiceConfig,
    Status,
};
use grpc_services::proto::grpc::health::v1::{
    HealthCheckRequest, HealthCheckResponse, HealthListRequest, HealthStub,
};
use grpc_services::{Health, ServingStatus};
use grpc_testing::{Host, Network};
use tokio::time::{Instant, sleep, timeout};

use ServingStatus::{NotServing, ServiceUnknown, Serving, Unknown};

const SHOP: &str = "shop.Orders";

/// Long enough for anything that is not stuck.
const BOUND: Duration = Duration::from_secs(20);

fn stub(health: &Health) -> HealthStub {
    let server = Server::builder().add_service(health.service());
    HealthStub::new(Channel::in_process(server).unwrap())
}

fn named(service: &str) -> HealthCheckRequest {
    HealthCheckRequest {
        service: service.to_owned(),
    }
}

async fn check(stub: &HealthStub, service: &str) -> Result<ServingStatus, Status> {
    Ok(stub.check(named(service)).await?.status())
}

async fn list(stub: &HealthStub) -> Result<BTreeMap<String, ServingStatus>, Status> {
    let listed = stub.list(HealthListRequest::default()).await?;
    let statuses = listed.statuses.into_iter();
    Ok(statuses.map(|(name, told)| (name, told.status())).collect())
}

/// A stream of Watch.
struct Watched(Receiver<HealthCheckResponse>);

impl Watched {
    fn of(stub: &HealthStub, service: &str) -> Self {
        Self(stub.watch(named(service)).start())
    }

    async fn next(&mut self) -> ServingStatus {
        let next = timeout(BOUND, self.0.next()).await.unwrap();
        next.unwrap().unwrap().status()
    }

    /// There is nothing to hear, and no end.
    async fn is_quiet(&mut self) {
        let next = timeout(Duration::from_secs(60), self.0.next()).await;
        assert!(next.is_err(), "{next:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_serves_from_the_start_and_knows_no_other_name() {
    let stub = stub(&Health::new());
    assert_eq!(check(&stub, "").await.unwrap(), Serving);
    let status = check(&stub, SHOP).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
}

#[tokio::test(start_paused = true)]
async fn names_are_compared_as_they_are() {
    let health = Health::new();
    health.set(SHOP, NotServing);
    let stub = stub(&health);
    assert_eq!(check(&stub, SHOP).await.unwrap(), NotServing);
    for other in ["shop.orders", "shop.Orders ", "shop", "/shop.Orders"] {
        let status = check(&stub, other).await.unwrap_err();
        assert_eq!(status.code(), Code::NotFound, "{other}");
    }
    assert_eq!(check(&stub, "").await.unwrap(), Serving);
}

#[tokio::test(start_paused = true)]
async fn a_watch_begins_with_the_status_and_tells_each_change_once() {
    let health = Health::new();
    health.set(SHOP, Serving);
    let stub = stub(&health);
    let mut watched = Watched::of(&stub, SHOP);
    assert_eq!(watched.next().await, Serving);
    health.set(SHOP, NotServing);
    assert_eq!(watched.next().await, NotServing);
    // The same again, and what others are.
    health.set(SHOP, NotServing);
    health.set("", NotServing);
    health.set("shop.Stock", Serving);
    watched.is_quiet().await;
    health.set(SHOP, Unknown);
    assert_eq!(watched.next().await, Unknown);
}

#[tokio::test(start_paused = true)]
async fn a_watch_of_an_unknown_name_stays_open_until_there_is_a_status() {
    let health = Health::new();
    let stub = stub(&health);
    let mut watched = Watched::of(&stub, SHOP);
    assert_eq!(watched.next().await, ServiceUnknown);
    watched.is_quiet().await;
    health.set(SHOP, Serving);
    assert_eq!(watched.next().await, Serving);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_cleared_is_unknown_and_its_watches_go_on() {
    let health = Health::new();
    health.set(SHOP, Serving);
    health.set("shop.Stock", Serving);
    let stub = stub(&health);
    let mut orders = Watched::of(&stub, SHOP);
    let mut stock = Watched::of(&stub, "shop.Stock");
    assert_eq!(
        (orders.next().await, stock.next().await),
        (Serving, Serving)
    );
    health.clear(SHOP);
    health.set("shop.Stock", ServiceUnknown);
    assert_eq!(orders.next().await, ServiceUnknown);
    assert_eq!(stock.next().await, ServiceUnknown);
    for name in [SHOP, "shop.Stock"] {
        let status = check(&stub, name).await.unwrap_err();
        assert_eq!(status.code(), Code::NotFound, "{name}");
    }
    health.clear("never.Set");
    health.set(SHOP, NotServing);
    assert_eq!(orders.next().await, NotServing);
    stock.is_quiet().await;
}

/// A watcher that reads nothing: what goes out meanwhile is bounded by its windows, and what
/// waits in the handler is one status.
#[tokio::test(start_paused = true)]
async fn a_watcher_that_reads_slowly_gets_the_newest_status_and_no_queue() {
    let health = Health::new();
    health.set(SHOP, Serving);
    let server = Server::builder().add_service(health.service());
    let mut http2 = Http2Options::default();
    http2.send_buffer = 1;
    let network = Network::new(7);
    let _host = network.bind("shop", server.http2(http2)).await.unwrap();
    let mut http2 = Http2Options::default();
    http2.stream_window = 16 << 10;
    let channel = Channel::builder("passthrough:///shop")
        .unwrap()
        .http2(http2)
        .connector(network.connector("client"))
        .build(ChannelCredentials::insecure())
        .unwrap();
    let stub = HealthStub::new(channel);
    let mut watched = Watched::of(&stub, SHOP);
    assert_eq!(watched.next().await, Serving);

    let changes = 30_000;
    for change in 0..changes {
        health.set(SHOP, [NotServing, Serving][change % 2]);
        tokio::task::yield_now().await;
    }
    health.set(SHOP, Unknown);
    let mut told = 0;
    while watched.next().await != Unknown {
        told += 1;
    }
    assert!(told < changes / 2, "{told} of {changes} were told");
    watched.is_quiet().await;
}

/// Changes that come before the watcher's turn are one.
#[tokio::test(start_paused = true)]
async fn what_changes_back_before_a_watcher_looks_is_not_told() {
    let health = Health::new();
    let stub = stub(&health);
    let mut watched = Watched::of(&stub, "");
    assert_eq!(watched.next().await, Serving);
    health.set("", NotServing);
    health.set("", Serving);
    watched.is_quiet().await;
    health.set("", NotServing);
    health.set("", Unknown);
    assert_eq!(watched.next().await, Unknown);
    watched.is_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_list_has_all_that_is_known_up_to_a_hundred() {
    let health = Health::new();
    health.set(SHOP, NotServing);
    let stub = stub(&health);
    let expected = [(String::new(), Serving), (SHOP.to_owned(), NotServing)];
    assert_eq!(list(&stub).await.unwrap(), expected.into());
    for n in 0..98 {
        health.set(format!("shop.Branch{n}"), Serving);
    }
    assert_eq!(list(&stub).await.unwrap().len(), 100);
    health.set("shop.Branch98", Serving);
    let status = list(&stub).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(status.message().contains("101"), "{status}");
    health.clear("shop.Branch98");
    assert_eq!(list(&stub).await.unwrap().len(), 100);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_holds_until_it_is_taken_back() {
    let health = Health::new();
    health.set(SHOP, Serving);
    health.set("shop.Stock", NotServing);
    let stub = stub(&health);
    let mut watched = Watched::of(&stub, SHOP);
    assert_eq!(watched.next().await, Serving);
    health.shut_down();
    health.shut_down();
    assert_eq!(watched.next().await, NotServing);
    health.set(SHOP, Serving);
    health.set("shop.New", Serving);
    health.clear("shop.Stock");
    watched.is_quiet().await;
    let all = list(&stub).await.unwrap();
    assert_eq!(all.len(), 3);
    assert!(all.values().all(|status| *status == NotServing), "{all:?}");

    health.resume();
    assert_eq!(watched.next().await, Serving);
    let all = list(&stub).await.unwrap();
    assert_eq!(all.len(), 3);
    assert!(all.values().all(|status| *status == Serving), "{all:?}");
    health.set(SHOP, NotServing);
    health.resume();
    assert_eq!(watched.next().await, NotServing);
    watched.is_quiet().await;
}

/// Our own channel, with health checks on, against it.
#[tokio::test(start_paused = true)]
async fn a_channel_that_asks_goes_by_what_is_said() {
    let health = Health::new();
    health.set(SHOP, NotServing);
    let server = Server::builder().add_service(health.service());
    let network = Network::new(7);
    let _host = network.bind("shop", server).await.unwrap();
    let config = ServiceConfig::builder()
        .balance(RoundRobin::new())
        .health_check_service(SHOP);
    let channel = Channel::builder("passthrough:///shop")
        .unwrap()
        .connector(network.connector("client"))
        .service_config(config.build().unwrap())
        .build(ChannelCredentials::insecure())
        .unwrap();
    let stub = HealthStub::new(channel);
    let status = check(&stub, "").await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains("NOT_SERVING"), "{status}");
    health.set(SHOP, Serving);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(check(&stub, "").await.unwrap(), Serving);
}

/// A server with a health, and a stub to it.
async fn leaving(health: &Health, notice: Duration) -> (Network, Host, HealthStub) {
    let network = Network::new(7);
    let server = Server::builder()
        .add_service(health.service())
        .shutdown_notice(notice);
    let host = network.bind("shop", server).await.unwrap();
    let channel = Channel::builder("passthrough:///shop")
        .unwrap()
        .connector(network.connector("client"))
        .build(ChannelCredentials::insecure())
        .unwrap();
    (network, host, HealthStub::new(channel))
}

/// The order of a shutdown: health, the notice, GOAWAY and the end of watches.
#[tokio::test(start_paused = true)]
async fn a_server_that_leaves_serves_nothing_and_then_ends_its_watches() {
    let health = Health::new();
    health.set(SHOP, Serving);
    let notice = Duration::from_secs(10);
    let (_network, host, stub) = leaving(&health, notice).await;
    let mut watched = Watched::of(&stub, SHOP);
    let mut unknown = Watched::of(&stub, "none.Such");
    assert_eq!(watched.next().await, Serving);
    assert_eq!(unknown.next().await, ServiceUnknown);
    let began = Instant::now();
    let shutdown = tokio::spawn(host.shutdown(Duration::from_secs(3_600)));
    assert_eq!(watched.next().await, NotServing);
    assert!(began.elapsed() < notice / 2, "{:?}", began.elapsed());
    // What the program says changes nothing any more.
    health.set(SHOP, Unknown);
    for watched in [&mut watched, &mut unknown] {
        let status = watched.0.next().await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable);
        assert!(status.message().contains("shutting down"), "{status}");
    }
    assert!(began.elapsed() >= notice, "{:?}", began.elapsed());
    let report = shutdown.await.unwrap();
    assert_eq!((report.calls_cut, report.handlers_left), (0, 0));
    assert!(began.elapsed() < 2 * notice, "{:?}", began.elapsed());
}

/// Calls that come during the notice.
#[tokio::test]
async fn a_server_that_leaves_tells_all_who_ask() {
    let health = Health::new();
    health.set(SHOP, Serving);
    let server = Server::builder()
        .add_service(health.service())
        .shutdown_notice(3 * BOUND)
        .listen("127.0.0.1:0")
        .start()
        .await
        .unwrap();
    let stub = HealthStub::new(Channel::insecure(&server.addresses()[0]).unwrap());
    let mut watched = Watched::of(&stub, "");
    assert_eq!(watched.next().await, Serving);
    let shutdown = tokio::spawn(server.shutdown(BOUND));
    assert_eq!(watched.next().await, NotServing);
    assert_eq!(check(&stub, SHOP).await.unwrap(), NotServing);
    let status = check(&stub, "none.Such").await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    let all = list(&stub).await.unwrap();
    assert_eq!(all.len(), 2);
    assert!(all.values().all(|status| *status == NotServing), "{all:?}");
    assert_eq!(Watched::of(&stub, SHOP).next().await, NotServing);
    shutdown.abort();
}

#[tokio::test(start_paused = true)]
async fn a_server_without_notice_tells_its_watches_before_they_end() {
    let (_network, host, stub) = leaving(&Health::new(), Duration::ZERO).await;
    let mut watched = Watched::of(&stub, "");
    assert_eq!(watched.next().await, Serving);
    let report = host.shutdown(Duration::from_secs(3_600)).await;
    assert_eq!(report.calls_cut, 0);
    assert_eq!(watched.next().await, NotServing);
    let status = watched.0.next().await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
}

/// A server for probes, beside the one whose health it tells.
#[tokio::test(start_paused = true)]
async fn health_follows_another_server_that_leaves() {
    let health = Health::new();
    let stub = stub(&health);
    let mut watched = Watched::of(&stub, "");
    assert_eq!(watched.next().await, Serving);
    let (other, leaves) = tokio::sync::oneshot::channel::<()>();
    tokio::spawn(health.leave_with(async move {
        let _ = leaves.await;
    }));
    watched.is_quiet().await;
    drop(other);
    assert_eq!(watched.next().await, NotServing);
    health.set("", Serving);
    watched.is_quiet().await;
}
