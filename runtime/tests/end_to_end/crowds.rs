//! Many streams on one connection: those that move evenly, those that nobody reads
//! yet, and those that are dropped after their first message, beside calls that all
//! of this is no concern of.

use std::sync::Arc;
use std::time::Duration;

use grpc_runtime::{Channel, Code, Context, Receiver, Sender, Server, Status};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::support::{Echo, EchoServicer, EchoStub, service};

/// Long enough for anything that is not stuck.
const BOUND: Duration = Duration::from_secs(60);
/// More than the connection's window for one of a hundred streams.
const SIZE: usize = 100_000;

/// Sends what is asked for, and reads uploads when it is told to.
#[derive(Clone, Default)]
struct Host {
    reads: Arc<Notify>,
}

impl EchoServicer for Host {
    async fn unary(&self, request: Echo, _: &mut Context) -> Result<Echo, Status> {
        Ok(request)
    }

    /// So many messages of [`SIZE`]; or one, and then nothing for ever.
    async fn expand(
        &self,
        request: Echo,
        replies: &mut Sender<Echo>,
        _: &mut Context,
    ) -> Result<(), Status> {
        if request.text == "one" {
            replies.send(Echo::default()).await?;
            return std::future::pending().await;
        }
        for _ in 0..request.number {
            replies.send(Echo::data(SIZE)).await?;
        }
        Ok(())
    }

    async fn collect(
        &self,
        requests: &mut Receiver<Echo>,
        _: &mut Context,
    ) -> Result<Echo, Status> {
        self.reads.notified().await;
        let mut count = 0;
        while requests.next().await?.is_some() {
            count += 1;
        }
        Ok(Echo::number(count))
    }

    async fn chat(
        &self,
        requests: &mut Receiver<Echo>,
        replies: &mut Sender<Echo>,
        _: &mut Context,
    ) -> Result<(), Status> {
        while let Some(request) = requests.next().await? {
            replies.send(request).await?;
        }
        Ok(())
    }
}

async fn start(host: &Host) -> (Server, EchoStub) {
    let server = Server::builder()
        .add_service(service(host.clone()))
        .listen("127.0.0.1:0");
    let server = server.start().await.unwrap();
    let stub = EchoStub(Channel::insecure(&server.addresses()[0]).unwrap());
    (server, stub)
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(BOUND, future).await.expect("it is stuck")
}

#[tokio::test]
async fn streams_that_move_evenly_never_freeze_their_connection() {
    let (_server, stub) = start(&Host::default()).await;
    let mut calls: Vec<_> = (0..60).map(|_| stub.chat().start()).collect();
    for _ in 0..40 {
        for (requests, _) in &mut calls {
            within(requests.send(Echo::data(10_000))).await.unwrap();
        }
        for (_, replies) in &mut calls {
            assert!(within(replies.next()).await.unwrap().is_some());
        }
    }
    within(stub.unary(Echo::text("beside")).response())
        .await
        .unwrap();
    for (requests, mut replies) in calls {
        requests.finish();
        assert_eq!(within(replies.next()).await.unwrap(), None);
    }
}

#[tokio::test]
async fn responses_that_nobody_reads_yet_hold_up_no_other_call() {
    let (_server, stub) = start(&Host::default()).await;
    let request = Echo::number(20);
    let mut unread: Vec<_> = (0..200)
        .map(|_| stub.expand(request.clone()).start())
        .collect();
    for _ in 0..50 {
        let beside = stub.unary(Echo::data(SIZE)).response();
        assert_eq!(within(beside).await.unwrap().message.data.len(), SIZE);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for replies in &mut unread {
        for _ in 0..20 {
            assert!(within(replies.next()).await.unwrap().is_some());
        }
        assert_eq!(within(replies.next()).await.unwrap(), None);
    }
}

#[tokio::test]
async fn requests_that_no_handler_reads_yet_hold_up_no_other_call() {
    let host = Host::default();
    let (_server, stub) = start(&host).await;
    let mut uploads = tokio::task::JoinSet::new();
    for _ in 0..200 {
        let mut call = stub.collect().start();
        uploads.spawn(async move {
            for _ in 0..20 {
                call.send(Echo::data(SIZE)).await?;
            }
            call.finish().await
        });
    }
    for _ in 0..50 {
        let beside = stub.unary(Echo::data(SIZE)).response();
        assert_eq!(within(beside).await.unwrap().message.data.len(), SIZE);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    while !uploads.is_empty() {
        host.reads.notify_waiters();
        let rest = Duration::from_millis(10);
        if let Ok(Some(upload)) = timeout(rest, uploads.join_next()).await {
            assert_eq!(upload.unwrap().unwrap().number, 20);
        }
    }
}

#[tokio::test]
async fn calls_dropped_after_their_first_message_end_no_connection() {
    let (_server, stub) = start(&Host::default()).await;
    let (mut requests, mut replies) = stub.chat().start();
    for _ in 0..3_000 {
        let mut dropped = stub.expand(Echo::text("one")).start();
        assert!(within(dropped.next()).await.unwrap().is_some());
        drop(dropped);
    }
    within(requests.send(Echo::text("steady"))).await.unwrap();
    let reply = within(replies.next()).await.unwrap().unwrap();
    assert_eq!(reply.text, "steady");
}

/// Deadlines that pass on a server that is behind are no attack.
#[tokio::test]
async fn calls_that_run_out_of_time_end_no_connection() {
    let (_server, stub) = start(&Host::default()).await;
    let (mut requests, mut replies) = stub.chat().start();
    for _ in 0..20 {
        let late: Vec<_> = (0..100)
            .map(|_| {
                let mut call = stub.collect();
                call = call.timeout(Duration::from_millis(30));
                tokio::spawn(call.start().finish())
            })
            .collect();
        for call in late {
            let status = within(call).await.unwrap().unwrap_err();
            assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
        }
    }
    within(requests.send(Echo::text("steady"))).await.unwrap();
    let reply = within(replies.next()).await.unwrap().unwrap();
    assert_eq!(reply.text, "steady");
}
