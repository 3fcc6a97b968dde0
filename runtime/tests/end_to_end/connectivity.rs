//! What a channel tells of its connection, being asked to connect, and being
//! closed.

use std::future::{IntoFuture, pending};
use std::time::Duration;

use crate::addresses::nobody;
use crate::support::{Echo, EchoServicer, EchoStub, service};
use grpc_runtime::{Channel, Code, ConnectivityState, Context, Server, StateWatch, Status};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::timeout;

/// Long enough for anything that is not stuck.
const BOUND: Duration = Duration::from_secs(20);

/// Answers "quick" at once and nothing else ever; tells when a handler goes.
struct Slow(UnboundedSender<&'static str>);

struct Guard(UnboundedSender<&'static str>);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.send("dropped");
    }
}

impl EchoServicer for Slow {
    async fn unary(&self, request: Echo, _context: &mut Context) -> Result<Echo, Status> {
        if request.text == "quick" {
            return Ok(request);
        }
        let _ = self.0.send("entered");
        let _guard = Guard(self.0.clone());
        pending().await
    }
}

async fn server(events: &UnboundedSender<&'static str>) -> Server {
    Server::builder()
        .add_service(service(Slow(events.clone())))
        .listen("127.0.0.1:0")
        .start()
        .await
        .unwrap()
}

async fn arrives(states: &mut StateWatch, state: ConnectivityState) -> bool {
    timeout(BOUND, states.wait_for(state)).await.unwrap()
}

#[tokio::test]
async fn a_channel_is_idle_until_it_is_asked_to_connect() {
    let (events, _receiver) = unbounded_channel();
    let server = server(&events).await;
    let channel = Channel::insecure(&server.addresses()[0]).unwrap();
    let mut states = channel.watch_state();
    assert_eq!(channel.state(), ConnectivityState::Idle);
    channel.connect().unwrap();
    assert!(arrives(&mut states, ConnectivityState::Ready).await);
    assert_eq!(channel.state(), ConnectivityState::Ready);
    // Once more changes nothing.
    channel.connect().unwrap();
    EchoStub(channel.clone())
        .unary(Echo::text("quick"))
        .await
        .unwrap();
    assert_eq!(channel.state(), ConnectivityState::Ready);

    drop(server);
    assert!(arrives(&mut states, ConnectivityState::Idle).await);
}

#[tokio::test]
async fn a_call_connects_as_well() {
    let (events, _receiver) = unbounded_channel();
    let server = server(&events).await;
    let channel = Channel::insecure(&server.addresses()[0]).unwrap();
    let mut states = channel.watch_state();
    let stub = EchoStub(channel);
    stub.unary(Echo::text("quick")).await.unwrap();
    assert!(arrives(&mut states, ConnectivityState::Ready).await);
}

#[tokio::test]
async fn nobody_there_is_a_transient_failure() {
    let channel = Channel::insecure(nobody()).unwrap();
    let mut states = channel.watch_state();
    channel.connect().unwrap();
    assert!(arrives(&mut states, ConnectivityState::TransientFailure).await);
    let call = EchoStub(channel.clone()).unary(Echo::text("quick"));
    assert_eq!(call.await.unwrap_err().code(), Code::Unavailable);
}

#[tokio::test]
async fn closing_ends_calls_that_run_and_all_that_follow() {
    let (events, mut receiver) = unbounded_channel();
    let server = server(&events).await;
    let channel = Channel::insecure(&server.addresses()[0]).unwrap();
    let mut states = channel.watch_state();
    let stub = EchoStub(channel.clone());
    let running = tokio::spawn(stub.unary(Echo::text("slow")).into_future());
    assert_eq!(receiver.recv().await, Some("entered"));

    channel.close();
    assert_eq!(channel.state(), ConnectivityState::Shutdown);
    let status = timeout(BOUND, running).await.unwrap().unwrap().unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::Cancelled, "the channel was closed")
    );
    // The server hears of it.
    let event = timeout(BOUND, receiver.recv()).await.unwrap();
    assert_eq!(event, Some("dropped"));

    for _ in 0..2 {
        let call = timeout(BOUND, stub.unary(Echo::text("quick")).into_future());
        assert_eq!(call.await.unwrap().unwrap_err().code(), Code::Cancelled);
    }
    assert_eq!(
        channel.connect().unwrap_err().code(),
        Code::Cancelled,
        "a closed channel stays closed"
    );
    assert!(!arrives(&mut states, ConnectivityState::Ready).await);
    drop((channel, stub));
    assert_eq!(timeout(BOUND, states.changed()).await.unwrap(), None);
}

#[tokio::test]
async fn closing_ends_calls_that_wait_for_a_server() {
    let channel = Channel::insecure(nobody()).unwrap();
    let stub = EchoStub(channel.clone());
    let mut states = channel.watch_state();
    let waiting = tokio::spawn(
        stub.unary(Echo::text("slow"))
            .wait_for_ready()
            .into_future(),
    );
    assert!(arrives(&mut states, ConnectivityState::TransientFailure).await);
    channel.close();
    let status = timeout(BOUND, waiting).await.unwrap().unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Cancelled);
}

#[tokio::test]
async fn closing_before_the_first_call_is_closing_too() {
    let channel = Channel::insecure("localhost:1").unwrap();
    channel.close();
    let call = EchoStub(channel).unary(Echo::text("quick"));
    assert_eq!(call.await.unwrap_err().code(), Code::Cancelled);
}

#[tokio::test]
async fn a_draining_server_leaves_the_channel_idle_and_closing_ends_what_drains() {
    let (events, mut receiver) = unbounded_channel();
    let server = server(&events).await;
    let channel = Channel::insecure(&server.addresses()[0]).unwrap();
    let mut states = channel.watch_state();
    let stub = EchoStub(channel.clone());
    let running = tokio::spawn(stub.unary(Echo::text("slow")).into_future());
    assert_eq!(receiver.recv().await, Some("entered"));
    let shutdown = tokio::spawn(server.shutdown(BOUND));
    // The connection takes no more calls; the one that runs goes on.
    assert!(arrives(&mut states, ConnectivityState::Idle).await);
    channel.close();
    let status = timeout(BOUND, running).await.unwrap().unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Cancelled);
    let report = timeout(BOUND, shutdown).await.unwrap().unwrap();
    assert_eq!(report.calls_cut, 0);
}

#[tokio::test]
async fn a_channel_that_is_gone_is_shut_down_for_those_who_watch() {
    let (events, _receiver) = unbounded_channel();
    let server = server(&events).await;
    let channel = Channel::insecure(&server.addresses()[0]).unwrap();
    let mut states = channel.watch_state();
    channel.connect().unwrap();
    assert!(arrives(&mut states, ConnectivityState::Ready).await);
    drop(channel);
    assert!(arrives(&mut states, ConnectivityState::Shutdown).await);
}

#[test]
fn a_runtime_that_ends_leaves_the_channel_idle_and_the_next_does_not_matter() {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    let serving = tokio::runtime::Runtime::new().unwrap();
    let (events, _receiver) = unbounded_channel();
    let server = serving.block_on(server(&events));
    let channel = Channel::insecure(&server.addresses()[0]).unwrap();
    let stub = EchoStub(channel.clone());
    for left in [ConnectivityState::Idle, ConnectivityState::Ready] {
        let calling = runtime();
        calling
            .block_on(async { stub.unary(Echo::text("quick")).await })
            .unwrap();
        drop(calling);
        // The hub says so a moment after the answer, perhaps.
        let mut states = channel.watch_state();
        let arrives = async { arrives(&mut states, left).await };
        assert!(serving.block_on(arrives));
    }
}
