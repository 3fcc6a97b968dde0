//! What a channel does about a server that is away, comes back, or lets go at once;
//! and that nothing is left of a channel that nobody holds.

use std::future::IntoFuture;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use grpc_runtime::{
    Address, ByteStream, Channel, ChannelCredentials, Code, ConnectivityState, Connector,
    RoundRobin, Server,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::{Instant, timeout};

use crate::calls::Echoes;
use crate::support::{Echo, EchoStub, service};

/// Long enough for anything that is not stuck.
const BOUND: Duration = Duration::from_secs(20);

/// An address that is ours, and where nobody listens.
fn held() -> (TcpSocket, String) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap().to_string();
    (socket, address)
}

async fn serve(address: &str) -> Server {
    let builder = Server::builder().add_service(service(Echoes));
    builder.listen(address).start().await.unwrap()
}

#[tokio::test]
async fn connect_tries_at_once_in_place_of_waiting() {
    let server = serve("127.0.0.1:0").await;
    let address = server.addresses()[0].clone();
    drop(server);
    let hour = Duration::from_secs(3600);
    let channel = Channel::builder(&address)
        .unwrap()
        .reconnect_backoff(hour, hour)
        .build(ChannelCredentials::insecure())
        .unwrap();
    let stub = EchoStub(channel.clone());
    let status = stub.unary(Echo::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(channel.state(), ConnectivityState::TransientFailure);
    let _server = serve(&address).await;
    let mut states = channel.watch_state();
    channel.connect().unwrap();
    let ready = states.wait_for(ConnectivityState::Ready);
    assert!(timeout(BOUND, ready).await.unwrap());
    stub.unary(Echo::default()).await.unwrap();
}

#[tokio::test]
async fn an_attempt_may_take_as_long_as_is_said() {
    // It takes connections and says nothing, so that the second is waited for too.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (one, two) = (listener.local_addr().unwrap(), other.local_addr().unwrap());
    let channel = Channel::builder(format!("ipv4:{one},{two}"))
        .unwrap()
        .connect_timeout(Duration::from_millis(50))
        .build(ChannelCredentials::insecure())
        .unwrap();
    let call = EchoStub(channel).unary(Echo::default()).into_future();
    let status = timeout(BOUND, call).await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(
        status.message().contains("no answer within 50ms"),
        "{status}"
    );
}

/// Takes connections, says SETTINGS and lets go; gives how many there were.
async fn lets_go(listener: TcpListener, go_away: bool) -> usize {
    for count in 0.. {
        let accepted = timeout(Duration::from_millis(300), listener.accept()).await;
        let Ok(accepted) = accepted else {
            return count;
        };
        let (mut socket, _) = accepted.unwrap();
        socket.write_all(b"\0\0\0\x04\0\0\0\0\0").await.unwrap();
        if go_away {
            let last = b"\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\0";
            socket.write_all(last).await.unwrap();
        }
        // The client may be gone already.
        let _ = socket.shutdown().await;
        let _ = timeout(BOUND, socket.read_to_end(&mut Vec::new())).await;
    }
    unreachable!("a range has no end");
}

#[tokio::test]
async fn a_connection_that_its_server_ended_is_ended_here_too() {
    for policy in [0, 1] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let channel = &policies(&address, BOUND * 3)[policy];
        let mut states = channel.watch_state();
        channel.connect().unwrap();
        let accepted = timeout(BOUND, listener.accept()).await.unwrap();
        let (mut socket, _) = accepted.unwrap();
        socket.write_all(b"\0\0\0\x04\0\0\0\0\0").await.unwrap();
        let ready = states.wait_for(ConnectivityState::Ready);
        assert!(timeout(BOUND, ready).await.unwrap());
        // The channel lives on, and its socket does not wait for another reason to go.
        socket.shutdown().await.unwrap();
        let mut rest = Vec::new();
        timeout(BOUND, socket.read_to_end(&mut rest))
            .await
            .unwrap()
            .unwrap();
    }
}

#[tokio::test]
async fn a_server_that_lets_go_at_once_is_not_dialled_in_a_loop() {
    for go_away in [true, false] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (_socket, nobody) = held();
        let dialled = tokio::spawn(lets_go(listener, go_away));
        let channel = Channel::builder(format!("ipv4:{address},{nobody}"))
            .unwrap()
            .reconnect_backoff(BOUND * 3, BOUND * 3)
            .build(ChannelCredentials::insecure())
            .unwrap();
        let stub = EchoStub(channel.clone());
        let calls: Vec<_> = (0..10)
            .map(|_| {
                let call = stub.unary(Echo::default()).wait_for_ready();
                tokio::spawn(call.timeout(Duration::from_secs(3)).into_future())
            })
            .collect();
        let dialled = dialled.await.unwrap();
        assert!((1..=4).contains(&dialled), "{dialled} connections");
        channel.close();
        for call in calls {
            call.await.unwrap().unwrap_err();
        }
    }
}

#[tokio::test]
async fn a_call_that_waits_for_readiness_is_not_sent_to_who_has_not_spoken() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let wait = Duration::from_millis(10);
    let channel = Channel::builder(address.to_string())
        .unwrap()
        .reconnect_backoff(wait, wait)
        .build(ChannelCredentials::insecure())
        .unwrap();
    let call = EchoStub(channel)
        .unary(Echo::text("through"))
        .wait_for_ready();
    let call = tokio::spawn(call.timeout(BOUND).into_future());
    // A proxy with nothing behind it: it accepts and closes.
    for _ in 0..3 {
        let (mut socket, _) = timeout(BOUND, listener.accept()).await.unwrap().unwrap();
        let mut hello = [0; 24];
        socket.read_exact(&mut hello).await.unwrap();
    }
    drop(listener);
    let _server = serve(&address.to_string()).await;
    assert_eq!(call.await.unwrap().unwrap().text, "through");
}

/// Until the channel is gone, with its task and what it holds.
async fn gone(mut states: grpc_runtime::StateWatch) {
    let end = async { while states.changed().await.is_some() {} };
    timeout(BOUND / 4, end).await.expect("nothing is left");
}

#[tokio::test]
async fn a_channel_that_nobody_holds_ends_in_every_state() {
    let hour = Duration::from_secs(3600);
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = silent
        .local_addr()
        .map(|address| (silent, address))
        .unwrap();
    let (_held, refused) = held();
    let server = serve("127.0.0.1:0").await;
    let short = Duration::from_millis(10);
    let targets = [
        ("during backoff", hour, refused.clone()),
        ("while it fails", short, refused.clone()),
        (
            "while it connects",
            hour,
            format!("ipv4:{},{refused}", silent.1),
        ),
        ("while nobody speaks", hour, silent.1.to_string()),
        ("while ready", hour, server.addresses()[0].clone()),
    ];
    for (state, backoff, target) in targets {
        let both = policies(&target, backoff).into_iter();
        let again = policies(&target, backoff).into_iter();
        for (channel, waits) in both.zip([true, true]).chain(again.zip([false, false])) {
            let states = channel.watch_state();
            let mut begun = channel.watch_state();
            let stub = EchoStub(channel);
            let call = stub.unary(Echo::data(1_000));
            let call = if waits { call.wait_for_ready() } else { call };
            let call = tokio::spawn(call.into_future());
            timeout(BOUND, begun.changed()).await.unwrap();
            if target == refused {
                let failed = begun.wait_for(ConnectivityState::TransientFailure);
                timeout(BOUND, failed).await.unwrap();
            }
            // First the handle goes, then the call that keeps the channel.
            drop(stub);
            tokio::task::yield_now().await;
            call.abort();
            println!("{state}, {waits}");
            gone(states).await;
        }
    }
}

#[tokio::test]
async fn a_deadline_says_what_it_passed_over() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let stub = EchoStub(Channel::insecure(&address).unwrap());
    let late = stub
        .unary(Echo::default())
        .timeout(Duration::from_millis(50));
    let status = late.await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    for part in [&*address, "HTTP/2"] {
        assert!(status.message().contains(part), "{status}");
    }
    let (_held, refused) = held();
    let stub = EchoStub(Channel::insecure(&refused).unwrap());
    let late = stub.unary(Echo::default()).wait_for_ready();
    let status = late.timeout(Duration::from_millis(200)).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    for part in [&*refused, "while connecting", "refused"] {
        assert!(status.message().contains(part), "{status}");
    }
    let status = stub.unary(Echo::default()).timeout(Duration::ZERO).await;
    let status = status.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert!(status.message().contains("timeout is 0"), "{status}");
}

/// Both policies, for targets with one server.
fn policies(target: &str, wait: Duration) -> [Channel; 2] {
    let builder = || {
        let builder = Channel::builder(target).unwrap();
        builder.reconnect_backoff(wait, wait)
    };
    let insecure = ChannelCredentials::insecure;
    [
        builder().build(insecure()).unwrap(),
        builder()
            .balance(RoundRobin::new())
            .build(insecure())
            .unwrap(),
    ]
}

#[tokio::test]
async fn a_server_that_comes_back_is_found_without_a_call() {
    let (socket, address) = held();
    let channels = policies(&address, Duration::from_millis(20));
    let mut failed = Vec::new();
    for channel in &channels {
        let mut states = channel.watch_state();
        channel.connect().unwrap();
        let failing = states.wait_for(ConnectivityState::TransientFailure);
        assert!(timeout(BOUND, failing).await.unwrap());
        failed.push(states);
    }
    // Meanwhile calls fail, at once and always, and the state stays.
    for _ in 0..20 {
        for channel in &channels {
            let call = EchoStub(channel.clone()).unary(Echo::default());
            let status = timeout(BOUND, call.into_future()).await.unwrap();
            let status = status.unwrap_err();
            assert_eq!(status.code(), Code::Unavailable);
            assert!(status.message().contains("refused"), "{status}");
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(socket);
    let _server = serve(&address).await;
    for (channel, mut states) in channels.into_iter().zip(failed) {
        let next = timeout(BOUND, states.changed()).await.unwrap();
        assert_eq!(next, Some(ConnectivityState::Ready), "and no other between");
        EchoStub(channel).unary(Echo::default()).await.unwrap();
    }
}

#[tokio::test]
async fn a_lost_connection_is_made_again_only_when_a_call_needs_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let channel = Channel::insecure(address.to_string()).unwrap();
    let mut states = channel.watch_state();
    channel.connect().unwrap();
    let (mut socket, _) = timeout(BOUND, listener.accept()).await.unwrap().unwrap();
    socket.write_all(b"\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let ready = states.wait_for(ConnectivityState::Ready);
    assert!(timeout(BOUND, ready).await.unwrap());
    drop(socket);
    let idle = states.wait_for(ConnectivityState::Idle);
    assert!(timeout(BOUND, idle).await.unwrap());
    let dialled = timeout(Duration::from_millis(200), listener.accept()).await;
    assert!(dialled.is_err(), "nobody needs it");
    drop(listener);
    let _server = serve(&address.to_string()).await;
    EchoStub(channel).unary(Echo::default()).await.unwrap();
}

/// The channel has no handle any more, so that nothing but this call keeps it.
#[tokio::test]
async fn a_call_that_waits_for_readiness_is_enough_for_the_channel_to_go_on() {
    for policy in 0..2 {
        let (socket, address) = held();
        let mut channels = policies(&address, Duration::from_millis(20)).into_iter();
        let channel = channels.nth(policy).unwrap();
        let states = channel.watch_state();
        let mut begun = channel.watch_state();
        let call = EchoStub(channel).unary(Echo::text("at last"));
        let call = tokio::spawn(call.wait_for_ready().into_future());
        let failing = begun.wait_for(ConnectivityState::TransientFailure);
        assert!(timeout(BOUND, failing).await.unwrap());
        tokio::time::sleep(Duration::from_millis(100)).await;
        drop(socket);
        let _server = serve(&address).await;
        let answered = timeout(BOUND, call).await.expect("it goes on").unwrap();
        assert_eq!(answered.unwrap().text, "at last");
        gone(states).await;
    }
}

/// Makes no connection and counts how often it is asked to.
struct Refuses(Arc<AtomicUsize>);

impl Connector for Refuses {
    async fn connect(&self, _address: &Address) -> io::Result<ByteStream> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Err(io::ErrorKind::ConnectionRefused.into())
    }
}

#[tokio::test]
async fn being_asked_to_connect_after_a_failure_is_one_attempt() {
    let hour = Duration::from_secs(3600);
    for turns in [false, true] {
        let attempts = Arc::new(AtomicUsize::new(0));
        let builder = Channel::builder("127.0.0.1:1").unwrap();
        let builder = builder
            .reconnect_backoff(hour, hour)
            .connector(Refuses(Arc::clone(&attempts)));
        let builder = if turns {
            builder.balance(RoundRobin::new())
        } else {
            builder
        };
        let channel = builder.build(ChannelCredentials::insecure()).unwrap();
        let mut states = channel.watch_state();
        for attempt in 1..=3 {
            channel.connect().unwrap();
            let failing = states.wait_for(ConnectivityState::TransientFailure);
            assert!(timeout(BOUND, failing).await.unwrap());
            // Long enough for those that nobody asked for.
            tokio::time::sleep(Duration::from_millis(100)).await;
            assert_eq!(attempts.load(Ordering::Relaxed), attempt);
        }
    }
}

/// Takes its time to fail, and tells when it began.
struct Fails(Duration, UnboundedSender<Instant>);

impl Connector for Fails {
    async fn connect(&self, _address: &Address) -> io::Result<ByteStream> {
        self.1.send(Instant::now()).unwrap();
        tokio::time::sleep(self.0).await;
        Err(io::ErrorKind::HostUnreachable.into())
    }
}

#[tokio::test(start_paused = true)]
async fn the_backoff_counts_from_the_beginning_of_an_attempt() {
    let seconds = Duration::from_secs;
    for (takes, between) in [
        (seconds(1), seconds(8)..=seconds(12)),
        (seconds(15), seconds(15)..=seconds(15)),
    ] {
        let (begun, mut attempts) = unbounded_channel();
        let channel = Channel::builder("127.0.0.1:1")
            .unwrap()
            .reconnect_backoff(seconds(10), seconds(10))
            .connector(Fails(takes, begun))
            .build(ChannelCredentials::insecure())
            .unwrap();
        channel.connect().unwrap();
        let mut last = attempts.recv().await.unwrap();
        for _ in 0..5 {
            let next = attempts.recv().await.unwrap();
            // A timer is late by a millisecond at most.
            let waited = Duration::from_secs_f64((next - last).as_secs_f64().floor());
            assert!(between.contains(&waited), "{waited:?}");
            last = next;
        }
    }
}
