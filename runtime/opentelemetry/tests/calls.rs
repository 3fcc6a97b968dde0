//! Values of A66's instruments for calls with every outcome, on both sides.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]
#![allow(clippy::cast_precision_loss, reason = "small numbers")]

mod support;

use std::future::IntoFuture;

use grpc_opentelemetry::{Instrument, Metrics};
use grpc_runtime::{
    BidiStreamingCall, Channel, ChannelCredentials, ClientStreamingCall, Code, Method, Server,
    ServerStreamingCall, UnaryCall,
};
use grpc_testing::{Host, Network};

use support::{CHAT, Collected, GET, IMPORT, LIST, MISSING, MS, SECOND, service, text, unary};

/// A shop and a channel to it, which count apart.
async fn shop() -> (Network, Host, Channel, Collected, Collected) {
    let (at_client, at_server) = (
        Collected::new(Metrics::builder()),
        Collected::new(Metrics::builder()),
    );
    let network = Network::new(7);
    let server = Server::builder().add_service(service());
    let server = server.observe(at_server.metrics.clone());
    let host = network.bind("shop", server).await.unwrap();
    let channel = support::to_shop(&network)
        .observe(at_client.metrics.clone())
        .build(ChannelCredentials::insecure())
        .unwrap();
    (network, host, channel, at_client, at_server)
}

const CLIENT: &str = "grpc.method=shop.Orders/Get";
const TARGET: &str = "grpc.target=passthrough:///shop";

#[tokio::test(start_paused = true)]
async fn a_unary_call_has_one_value_of_each_instrument() {
    let (_network, _host, channel, at_client, at_server) = shop().await;
    assert_eq!(unary(&channel, "rest").await.unwrap(), "rest");
    tokio::time::sleep(SECOND).await;

    let begun = format!("{{{CLIENT} {TARGET}}} 1 1");
    assert_eq!(at_client.lines("grpc.client.attempt.started"), [begun]);
    let labels = format!("{CLIENT} grpc.status=OK {TARGET}");
    for (name, sum) in [
        ("grpc.client.attempt.duration", "0.03"),
        ("grpc.client.call.duration", "0.03"),
        // The text and its key and length.
        (
            "grpc.client.attempt.sent_total_compressed_message_size",
            "6",
        ),
        (
            "grpc.client.attempt.rcvd_total_compressed_message_size",
            "6",
        ),
    ] {
        assert_eq!(
            at_client.lines(name),
            [format!("{{{labels}}} 1 {sum}")],
            "{name}"
        );
    }
    assert_eq!(
        at_server.lines("grpc.server.call.started"),
        ["{grpc.method=shop.Orders/Get} 1 1"]
    );
    for (name, sum) in [
        ("grpc.server.call.duration", "0.03"),
        ("grpc.server.call.sent_total_compressed_message_size", "6"),
        ("grpc.server.call.rcvd_total_compressed_message_size", "6"),
    ] {
        let line = format!("{{{CLIENT} grpc.status=OK}} 1 {sum}");
        assert_eq!(at_server.lines(name), [line], "{name}");
    }
    // Those of the other side, and those that are off, have none.
    assert_eq!((at_client.all().len(), at_server.all().len()), (5, 4));
}

#[tokio::test(start_paused = true)]
async fn what_is_told_is_what_the_documents_have() {
    let (_network, _host, channel, at_client, at_server) = shop().await;
    unary(&channel, "go").await.unwrap();
    tokio::time::sleep(SECOND).await;
    let latency = [
        0., 0.00001, 0.00005, 0.0001, 0.0003, 0.0006, 0.0008, 0.001, 0.002, 0.003, 0.004, 0.005,
        0.006, 0.008, 0.01, 0.013, 0.016, 0.02, 0.025, 0.03, 0.04, 0.05, 0.065, 0.08, 0.1, 0.13,
        0.16, 0.2, 0.25, 0.3, 0.4, 0.5, 0.65, 0.8, 1., 2., 5., 10., 20., 50., 100.,
    ];
    let kib = |n: u64| (n << 10) as f64;
    let size = [
        0.,
        kib(1),
        kib(2),
        kib(4),
        kib(16),
        kib(64),
        kib(256),
        kib(1 << 10),
        kib(4 << 10),
        kib(16 << 10),
        kib(64 << 10),
        kib(256 << 10),
        kib(1 << 20),
        kib(4 << 20),
    ];
    // A66's list.
    let expected: [(&str, &str, &[f64]); 9] = [
        ("grpc.client.attempt.duration", "s", &latency),
        (
            "grpc.client.attempt.rcvd_total_compressed_message_size",
            "By",
            &size,
        ),
        (
            "grpc.client.attempt.sent_total_compressed_message_size",
            "By",
            &size,
        ),
        ("grpc.client.attempt.started", "{attempt}", &[]),
        ("grpc.client.call.duration", "s", &latency),
        ("grpc.server.call.duration", "s", &latency),
        (
            "grpc.server.call.rcvd_total_compressed_message_size",
            "By",
            &size,
        ),
        (
            "grpc.server.call.sent_total_compressed_message_size",
            "By",
            &size,
        ),
        ("grpc.server.call.started", "{call}", &[]),
    ];
    let mut all = at_client.all();
    all.append(&mut at_server.all());
    assert_eq!(all.len(), expected.len());
    for ((name, (unit, description, points)), expected) in all.iter().zip(expected) {
        let of = (name.as_str(), unit.as_str(), &*points[0].bounds);
        assert_eq!(of, expected);
        let instrument: Instrument = name.parse().unwrap();
        assert!(instrument.is_on_by_default());
        assert_eq!(description, instrument.description());
    }
    for instrument in Instrument::all() {
        assert_eq!(instrument.name().parse(), Ok(instrument));
        let is_a66 = all.contains_key(instrument.name());
        assert_eq!(instrument.is_on_by_default(), is_a66, "{instrument}");
    }
    assert!("grpc.client.calls".parse::<Instrument>().is_err());
}

/// What each call ends with on both sides: its method, how its channel and its server see it.
async fn ends(order: &str, method: Method, channel: &Channel) -> Code {
    let code =
        |ended: Result<(), grpc_runtime::Status>| ended.err().map_or(Code::Ok, |it| it.code());
    if method == CHAT {
        let call = BidiStreamingCall::<String, String>::new(channel, CHAT).timeout(SECOND);
        let (mut orders, mut replies) = call.start();
        orders.send(text(order)).await.unwrap();
        orders.finish();
        while let Some(reply) = match replies.next().await {
            Ok(reply) => reply,
            Err(status) => return status.code(),
        } {
            assert_eq!(reply, order);
        }
        return Code::Ok;
    }
    let call = UnaryCall::<String>::new(channel, method, &text(order)).timeout(SECOND);
    code(call.await.map(drop))
}

#[tokio::test(start_paused = true)]
async fn each_end_has_its_code_on_both_sides() {
    for (order, method, code) in [
        ("go", GET, "OK"),
        ("fail", GET, "NOT_FOUND"),
        ("panic", GET, "INTERNAL"),
        ("wait", GET, "DEADLINE_EXCEEDED"),
        ("go", CHAT, "OK"),
        ("fail", CHAT, "NOT_FOUND"),
        ("wait", CHAT, "DEADLINE_EXCEEDED"),
    ] {
        let (_network, _host, channel, at_client, at_server) = shop().await;
        assert_eq!(ends(order, method, &channel).await.to_string(), code);
        tokio::time::sleep(5 * SECOND).await;
        for collected in [&at_client, &at_server] {
            assert_eq!(collected.values("grpc.status"), [code], "{order} {method}");
            let name = method.path().trim_start_matches('/');
            assert_eq!(collected.values("grpc.method"), [name]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_was_cancelled() {
    let (_network, _host, channel, at_client, at_server) = shop().await;
    let call = unary(&channel, "wait").into_future();
    assert!(tokio::time::timeout(20 * MS, call).await.is_err());
    tokio::time::sleep(SECOND).await;
    let labels = format!("{CLIENT} grpc.status=CANCELLED {TARGET}");
    let duration = [format!("{{{labels}}} 1 0.02")];
    assert_eq!(at_client.lines("grpc.client.call.duration"), duration);
    assert_eq!(at_client.lines("grpc.client.attempt.duration"), duration);
    assert_eq!(
        at_server.lines("grpc.server.call.duration"),
        [format!("{{{CLIENT} grpc.status=CANCELLED}} 1 0.02")]
    );
}

#[tokio::test(start_paused = true)]
async fn the_messages_of_streams_are_added_up() {
    let (_network, _host, channel, at_client, at_server) = shop().await;
    let mut list = ServerStreamingCall::<String>::new(&channel, LIST, &text("go")).start();
    while list.next().await.unwrap().is_some() {}
    let mut import = ClientStreamingCall::<String, String>::new(&channel, IMPORT).start();
    for _ in 0..4 {
        import.send(text("go")).await.unwrap();
    }
    assert_eq!(import.finish().await.unwrap(), "done");
    tokio::time::sleep(SECOND).await;
    let line = |method: &str, target: &str, sum: u32| {
        format!("{{grpc.method=shop.Orders/{method} grpc.status=OK{target}}} 1 {sum}")
    };
    let target = format!(" {TARGET}");
    // A text of n letters has n + 2 bytes: four orders and one, a reply and three.
    for (collected, name, target, imported, listed) in [
        (&at_client, "grpc.client.attempt.sent", &*target, 16, 4),
        (&at_server, "grpc.server.call.rcvd", "", 16, 4),
        (&at_client, "grpc.client.attempt.rcvd", &*target, 6, 24),
        (&at_server, "grpc.server.call.sent", "", 6, 24),
    ] {
        let lines = collected.lines(&format!("{name}_total_compressed_message_size"));
        let expected = [
            line("Import", target, imported),
            line("List", target, listed),
        ];
        assert_eq!(lines, expected);
    }
}

#[tokio::test]
async fn what_has_no_handler_is_counted_and_what_a_client_makes_up_is_other() {
    let collected = Collected::new(Metrics::builder());
    let server = Server::builder()
        .add_service(service())
        .max_receive_message_size(1_000)
        .observe(collected.metrics.clone())
        .listen("127.0.0.1:0")
        .start()
        .await
        .unwrap();
    let channel = Channel::insecure(&server.addresses()[0]).unwrap();
    let missing = UnaryCall::<String>::new(&channel, MISSING, &());
    assert_eq!(missing.await.unwrap_err().code(), Code::Unimplemented);
    let large = unary(&channel, &"x".repeat(2_000)).await.unwrap_err();
    assert_eq!(large.code(), Code::ResourceExhausted);
    assert_eq!(
        collected.lines("grpc.server.call.started"),
        [
            "{grpc.method=other} 1 1",
            "{grpc.method=shop.Orders/Get} 1 1"
        ]
    );
    assert_eq!(
        collected.lines("grpc.server.call.duration"),
        [
            "{grpc.method=other grpc.status=UNIMPLEMENTED} 1 0",
            "{grpc.method=shop.Orders/Get grpc.status=RESOURCE_EXHAUSTED} 1 0"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn where_interceptors_see_what_is_made_up_it_is_other_too() {
    // What a network binds has an interceptor.
    let (_network, _host, channel, at_client, at_server) = shop().await;
    let missing = UnaryCall::<String>::new(&channel, MISSING, &());
    assert_eq!(missing.await.unwrap_err().code(), Code::Unimplemented);
    tokio::time::sleep(SECOND).await;
    assert_eq!(at_server.values("grpc.method"), ["other"]);
    assert_eq!(at_client.values("grpc.method"), ["shop.Orders/Missing"]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_refused_before_a_connection_has_no_attempt() {
    let (_network, _host, channel, at_client, _) = shop().await;
    let bad = unary(&channel, "go").metadata("x-\n", "bad").await;
    assert_eq!(bad.unwrap_err().code(), Code::Internal);
    assert!(at_client.lines("grpc.client.attempt.started").is_empty());
    let labels = format!("{CLIENT} grpc.status=INTERNAL {TARGET}");
    let duration = at_client.lines("grpc.client.call.duration");
    assert_eq!(duration, [format!("{{{labels}}} 1 0")]);
}
