//! Values of A94's instruments for a channel's connections.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod support;

use std::time::Duration;

use grpc_opentelemetry::{Instrument, Metrics, MetricsBuilder, OptionalLabel};
use grpc_runtime::{Channel, ChannelCredentials, Server, ServerBuilder};
use grpc_testing::{Host, Link, Network};

use support::{Collected, SECOND, service, unary};

const TARGET: &str = "grpc.target=passthrough:///shop";

fn with_a94() -> MetricsBuilder {
    Metrics::builder().enable([
        Instrument::SubchannelDisconnections,
        Instrument::SubchannelConnectionAttemptsSucceeded,
        Instrument::SubchannelConnectionAttemptsFailed,
        Instrument::SubchannelOpenConnections,
    ])
}

fn with_labels() -> MetricsBuilder {
    with_a94()
        .optional_label(OptionalLabel::DisconnectError)
        .optional_label(OptionalLabel::SecurityLevel)
}

async fn shop(server: ServerBuilder, builder: MetricsBuilder) -> (Host, Link, Channel, Collected) {
    let collected = Collected::new(builder);
    let network = Network::new(7);
    // A server's connections are no subchannels.
    let server = server
        .add_service(service())
        .observe(collected.metrics.clone());
    let host = network.bind("shop", server).await.unwrap();
    let channel = support::to_shop(&network)
        .observe(collected.metrics.clone())
        .keepalive_time(Duration::from_secs(60))
        .keepalive_timeout(Duration::from_secs(10))
        .build(ChannelCredentials::insecure())
        .unwrap();
    (host, network.link("client", "shop"), channel, collected)
}

fn disconnections(collected: &Collected) -> Vec<String> {
    collected.lines("grpc.subchannel.disconnections")
}

#[tokio::test(start_paused = true)]
async fn connections_are_counted_as_they_come_and_go() {
    let (_host, link, channel, collected) = shop(Server::builder(), with_a94()).await;
    unary(&channel, "go").await.unwrap();
    let open = "grpc.subchannel.open_connections";
    assert_eq!(collected.lines(open), [format!("{{{TARGET}}} 1 1")]);
    assert!(disconnections(&collected).is_empty());
    link.refuse();
    link.cut();
    unary(&channel, "go").await.unwrap_err();
    tokio::time::sleep(SECOND).await;
    assert_eq!(collected.lines(open), [format!("{{{TARGET}}} 0 0")]);
    assert_eq!(disconnections(&collected), [format!("{{{TARGET}}} 1 1")]);
    let failed = "grpc.subchannel.connection_attempts_failed";
    assert!(collected.lines(failed)[0].starts_with(&format!("{{{TARGET}}} ")));
    link.restore();
    unary(&channel, "go")
        .wait_for_ready()
        .timeout(600 * SECOND)
        .await
        .unwrap();
    let succeeded = "grpc.subchannel.connection_attempts_succeeded";
    assert_eq!(collected.lines(succeeded), [format!("{{{TARGET}}} 2 2")]);
    let all = collected.all();
    let unit = |name: &str| all[name].0.as_str();
    assert_eq!(unit("grpc.subchannel.disconnections"), "{disconnection}");
    assert_eq!((unit(succeeded), unit(failed)), ("{attempt}", "{attempt}"));
    assert_eq!(unit(open), "{connection}");
}

#[tokio::test(start_paused = true)]
async fn they_are_off_by_default() {
    let (_host, link, channel, collected) = shop(Server::builder(), Metrics::builder()).await;
    unary(&channel, "go").await.unwrap();
    link.cut();
    tokio::time::sleep(SECOND).await;
    let all = collected.all();
    assert!(
        !all.keys().any(|name| name.contains("subchannel")),
        "{all:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_first_reason_is_told() {
    let because = |why: &str| [format!("{{grpc.disconnect_error={why} {TARGET}}} 1 1")];

    // The server leaves in order: it says GOAWAY, then the socket ends.
    let (host, _link, channel, collected) = shop(Server::builder(), with_labels()).await;
    unary(&channel, "go").await.unwrap();
    let open = collected.lines("grpc.subchannel.open_connections");
    assert_eq!(open, [format!("{{grpc.security_level=none {TARGET}}} 1 1")]);
    host.shutdown(SECOND).await;
    tokio::time::sleep(SECOND).await;
    assert_eq!(disconnections(&collected), because("GOAWAY NO_ERROR"));
    let open = collected.lines("grpc.subchannel.open_connections");
    assert_eq!(open, [format!("{{grpc.security_level=none {TARGET}}} 0 0")]);

    // The channel leaves.
    let (_host, _link, channel, collected) = shop(Server::builder(), with_labels()).await;
    unary(&channel, "go").await.unwrap();
    drop(channel);
    tokio::time::sleep(SECOND).await;
    assert_eq!(disconnections(&collected), because("subchannel shutdown"));

    // The link breaks.
    let (_host, link, channel, collected) = shop(Server::builder(), with_labels()).await;
    unary(&channel, "go").await.unwrap();
    link.cut();
    tokio::time::sleep(SECOND).await;
    assert_eq!(disconnections(&collected), because("connection reset"));

    // It is silent, and keepalive finds out.
    let server = Server::builder().permit_keepalive_time(SECOND);
    let (_host, link, channel, collected) = shop(server, with_labels()).await;
    unary(&channel, "go").await.unwrap();
    link.down();
    unary(&channel, "wait")
        .timeout(300 * SECOND)
        .await
        .unwrap_err();
    tokio::time::sleep(SECOND).await;
    assert_eq!(disconnections(&collected), because("connection timed out"));
}
