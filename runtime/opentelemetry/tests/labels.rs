//! The number of labels is bounded, whatever names clients and programs use, and the
//! configured labels are present.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod support;

use grpc_opentelemetry::{Instrument, Metrics, MetricsBuilder};
use grpc_runtime::{Channel, ChannelCredentials, Code, Method, Server, UnaryCall};
use grpc_testing::Network;
use opentelemetry_sdk::metrics::SdkMeterProvider;

use support::{Collected, SECOND, service, text, unary};

/// A method that nobody has, under a name of its own.
fn made_up(number: u32) -> Method {
    Method::unary(Box::leak(format!("/made.Up/M{number}").into_boxed_str()))
}

/// What a server tells of so many methods that it does not have.
async fn of_made_up(number: u32, builder: MetricsBuilder) -> Collected {
    let collected = Collected::new(builder);
    let server = Server::builder()
        .add_service(service())
        .observe(collected.metrics.clone())
        .listen("127.0.0.1:0")
        .start()
        .await
        .unwrap();
    let channel = Channel::insecure(&server.addresses()[0]).unwrap();
    for number in 0..number {
        let call = UnaryCall::<String>::new(&channel, made_up(number), &());
        assert_eq!(call.await.unwrap_err().code(), Code::Unimplemented);
    }
    collected
}

#[tokio::test]
async fn ten_thousand_methods_that_clients_make_up_are_one() {
    let collected = of_made_up(10_000, Metrics::builder()).await;
    assert_eq!(
        collected.lines("grpc.server.call.started"),
        ["{grpc.method=other} 10000 10000"]
    );
    assert_eq!(collected.values("grpc.method"), ["other"]);
}

#[tokio::test]
async fn methods_that_a_filter_tells_have_their_names_up_to_the_limit() {
    let builder = Metrics::builder().method_filter(|path| path.ends_with('7'));
    let collected = of_made_up(20, builder).await;
    assert_eq!(
        collected.lines("grpc.server.call.started"),
        [
            "{grpc.method=made.Up/M17} 1 1",
            "{grpc.method=made.Up/M7} 1 1",
            "{grpc.method=other} 18 18"
        ]
    );
    let all = of_made_up(3_000, Metrics::builder().method_filter(|_| true)).await;
    assert_eq!(all.values("grpc.method").len(), 201);
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_methods_of_a_channel_are_a_thousand_and_other() {
    let collected = Collected::new(Metrics::builder());
    let channel = Channel::builder("passthrough:///nobody")
        .unwrap()
        .observe(collected.metrics.clone())
        .build(ChannelCredentials::insecure())
        .unwrap();
    for number in 0..10_000 {
        // It ends before it has a connection.
        let call = UnaryCall::<String>::new(&channel, made_up(number), &());
        let call = call.metadata("x-\n", "bad");
        assert_eq!(call.await.unwrap_err().code(), Code::Internal);
    }
    let names = collected.values("grpc.method");
    assert_eq!(names.len(), 1_001);
    assert!(names.contains(&text("other")));
    let all = collected.all();
    let durations = &all["grpc.client.call.duration"].2;
    let calls: u64 = durations.iter().map(|point| point.count).sum();
    assert_eq!(calls, 10_000);
}

#[tokio::test(start_paused = true)]
async fn targets_that_a_filter_does_not_tell_are_other() {
    let builder = Metrics::builder().target_filter(|target| !target.contains("secret"));
    let collected = Collected::new(builder);
    for target in [
        "passthrough:///shop",
        "passthrough:///secret-1",
        "secret-2:443",
    ] {
        let channel = Channel::builder(target)
            .unwrap()
            .observe(collected.metrics.clone())
            .build(ChannelCredentials::insecure())
            .unwrap();
        let call = unary(&channel, "go").metadata("x-\n", "bad");
        assert_eq!(call.await.unwrap_err().code(), Code::Internal);
    }
    let targets = collected.values("grpc.target");
    assert_eq!(targets, ["other", "passthrough:///shop"]);
}

#[tokio::test(start_paused = true)]
async fn many_targets_are_told_apart_and_there_is_an_end() {
    let collected = Collected::new(Metrics::builder());
    for number in 0..1_100 {
        let channel = Channel::builder(format!("passthrough:///shop-{number}"))
            .unwrap()
            .observe(collected.metrics.clone())
            .build(ChannelCredentials::insecure())
            .unwrap();
        let call = unary(&channel, "go").metadata("x-\n", "bad");
        assert_eq!(call.await.unwrap_err().code(), Code::Internal);
    }
    assert_eq!(collected.values("grpc.target").len(), 1_001);
}

#[tokio::test(start_paused = true)]
async fn metrics_of_one_provider_count_together() {
    let collected = Collected::new(Metrics::builder());
    // Whose labels the provider has already.
    let second = Metrics::new(&collected.provider);
    let network = Network::new(7);
    let server = Server::builder().add_service(service());
    let _host = network.bind("shop", server).await.unwrap();
    for metrics in [&collected.metrics, &second, &collected.metrics, &second] {
        let channel = support::to_shop(&network)
            .observe(metrics.clone())
            .build(ChannelCredentials::insecure())
            .unwrap();
        unary(&channel, "go").await.unwrap();
    }
    let started = collected.lines("grpc.client.attempt.started");
    let labels = "grpc.method=shop.Orders/Get grpc.target=passthrough:///shop";
    assert_eq!(started, [format!("{{{labels}}} 4 4")]);
    let durations = collected.lines("grpc.client.call.duration");
    assert!(durations[0].contains(" 4 "), "{durations:?}");
}

#[tokio::test(start_paused = true)]
async fn a_provider_without_readers_is_none() {
    let provider = SdkMeterProvider::builder().build();
    let all = Metrics::builder()
        .enable(Instrument::all())
        .build(&provider);
    assert!(format!("{all:?}").contains("SubchannelDisconnections"));
    let network = Network::new(7);
    let server = Server::builder()
        .add_service(service())
        .observe(all.clone());
    let _host = network.bind("shop", server).await.unwrap();
    let channel = support::to_shop(&network)
        .observe(all)
        .build(ChannelCredentials::insecure())
        .unwrap();
    assert_eq!(unary(&channel, "go").await.unwrap(), "go");
    tokio::time::sleep(SECOND).await;
}

#[tokio::test(start_paused = true)]
async fn the_semantic_conventions_have_names_and_labels_of_their_own() {
    let collected = Collected::new(Metrics::builder().semantic_conventions());
    let network = Network::new(7);
    let server = Server::builder()
        .add_service(service())
        .observe(collected.metrics.clone());
    let _host = network.bind("shop:443", server).await.unwrap();
    let channel = Channel::builder("passthrough:///shop:443")
        .unwrap()
        .connector(network.connector("client"))
        .observe(collected.metrics.clone())
        .build(ChannelCredentials::insecure())
        .unwrap();
    unary(&channel, "rest").await.unwrap();
    unary(&channel, "fail").await.unwrap_err();
    unary(&channel, "panic").await.unwrap_err();
    let missing = UnaryCall::<String>::new(&channel, support::MISSING, &());
    missing.await.unwrap_err();
    tokio::time::sleep(SECOND).await;
    let method = "rpc.method=shop.Orders/Get";
    let missing = "rpc.method=shop.Orders/Missing";
    let code = |code: &str| format!("rpc.response.status_code={code} rpc.system.name=grpc");
    let address = "server.address=shop server.port=443";
    let client = [
        format!(
            "{{error.type=INTERNAL {method} {} {address}}} 1 0",
            code("INTERNAL")
        ),
        format!(
            "{{error.type=NOT_FOUND {method} {} {address}}} 1 0",
            code("NOT_FOUND")
        ),
        format!(
            "{{error.type=UNIMPLEMENTED {missing} {} {address}}} 1 0",
            code("UNIMPLEMENTED")
        ),
        format!("{{{method} {} {address}}} 1 0.03", code("OK")),
    ];
    assert_eq!(collected.lines("rpc.client.call.duration"), client);
    // A server does not have NOT_FOUND for an error.
    let server = [
        format!("{{error.type=INTERNAL {method} {}}} 1 0", code("INTERNAL")),
        format!(
            "{{error.type=UNIMPLEMENTED rpc.method=_OTHER {}}} 1 0",
            code("UNIMPLEMENTED")
        ),
        format!("{{{method} {}}} 1 0", code("NOT_FOUND")),
        format!("{{{method} {}}} 1 0.03", code("OK")),
    ];
    assert_eq!(collected.lines("rpc.server.call.duration"), server);
    let all = collected.all();
    assert_eq!(all.len(), 2);
    let buckets = [
        0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1., 2.5, 5., 7.5, 10.,
    ];
    for (unit, _, points) in all.values() {
        assert_eq!((unit.as_str(), &*points[0].bounds), ("s", &buckets[..]));
    }
}
