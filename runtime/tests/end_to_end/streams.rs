//! Streams over their whole life: quiet for long, ended by either half first, and
//! gone without a trace when they are cancelled.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use grpc_runtime::{Channel, Code, Context, Http2Options, Receiver, Sender, Server, Status};
use tokio::time::timeout;

use crate::support::{Echo, EchoServicer, EchoStub, service};

/// Long enough for anything that is not stuck.
const BOUND: Duration = Duration::from_secs(20);

/// Talks as the first message says, and counts the handlers there are.
#[derive(Clone, Default)]
struct Talker(Arc<AtomicUsize>);

struct Present(Arc<AtomicUsize>);

impl Drop for Present {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl EchoServicer for Talker {
    async fn chat(
        &self,
        requests: &mut Receiver<Echo>,
        replies: &mut Sender<Echo>,
        _context: &mut Context,
    ) -> Result<(), Status> {
        self.0.fetch_add(1, Ordering::SeqCst);
        let _present = Present(Arc::clone(&self.0));
        while let Some(request) = requests.next().await? {
            let is_last = request.text == "last";
            replies.send(request).await?;
            if is_last {
                return Ok(());
            }
        }
        for number in 0..1_000 {
            replies.send(Echo::number(number)).await?;
        }
        Ok(())
    }
}

async fn start(talker: &Talker, limit: u32) -> (Server, EchoStub) {
    let mut options = Http2Options::default();
    options.max_concurrent_streams = limit;
    let server = Server::builder()
        .http2(options)
        .add_service(service(talker.clone()))
        .listen("127.0.0.1:0");
    let server = server.start().await.unwrap();
    let stub = EchoStub(Channel::insecure(&server.addresses()[0]).unwrap());
    (server, stub)
}

#[tokio::test(start_paused = true)]
async fn a_stream_may_be_quiet_for_days() {
    let server = Server::builder().add_service(service(Talker::default()));
    let stub = EchoStub(Channel::in_process(server).unwrap());
    let (mut requests, mut replies) = stub.chat().start();
    for number in 0..3 {
        requests.send(Echo::number(number)).await.unwrap();
        assert_eq!(replies.next().await.unwrap().unwrap().number, number);
        tokio::time::sleep(Duration::from_secs(24 * 60 * 60)).await;
    }
}

#[tokio::test]
async fn the_clients_half_may_end_first() {
    let (_server, stub) = start(&Talker::default(), 10).await;
    let (requests, mut replies) = stub.chat().start();
    requests.finish();
    for number in 0..1_000 {
        let reply = timeout(BOUND, replies.next()).await.unwrap().unwrap();
        assert_eq!(reply.unwrap().number, number);
    }
    assert_eq!(replies.next().await.unwrap(), None);
}

#[tokio::test]
async fn the_servers_half_may_end_first() {
    let talker = Talker::default();
    let (server, stub) = start(&talker, 1).await;
    let (mut requests, mut replies) = stub.chat().start();
    requests.send(Echo::text("last")).await.unwrap();
    assert!(replies.next().await.unwrap().is_some());
    assert_eq!(replies.next().await.unwrap(), None);
    // What is said now has no hearer.
    let status = requests.send(Echo::data(10_000)).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition, "{status}");
    // The stream is gone on both sides, though this half has not ended: there is
    // room for one call, and it is free.
    let (mut others, mut replies) = stub.chat().timeout(BOUND).start();
    others.send(Echo::text("last")).await.unwrap();
    assert!(replies.next().await.unwrap().is_some());
    assert_eq!(talker.0.load(Ordering::SeqCst), 0);
    let report = timeout(BOUND, server.shutdown(BOUND)).await.unwrap();
    assert_eq!((report.calls_cut, report.connections_cut), (0, 0));
}

/// More calls than there is room for, one batch after the other.
#[tokio::test]
async fn cancelled_calls_leave_neither_handlers_nor_streams() {
    let talker = Talker::default();
    let (server, stub) = start(&talker, 10).await;
    for _ in 0..30 {
        let mut calls: Vec<_> = (0..10)
            .map(|_| stub.chat().timeout(BOUND).start())
            .collect();
        for (requests, replies) in &mut calls {
            requests.send(Echo::data(1_000)).await.unwrap();
            assert!(replies.next().await.unwrap().is_some());
        }
        assert_eq!(talker.0.load(Ordering::SeqCst), 10);
        drop(calls);
        let gone = async {
            while talker.0.load(Ordering::SeqCst) > 0 {
                tokio::task::yield_now().await;
            }
        };
        timeout(BOUND, gone).await.unwrap();
    }
    // Nothing is left to wait for or to cut.
    let report = timeout(BOUND, server.shutdown(BOUND)).await.unwrap();
    assert_eq!((report.calls_cut, report.connections_cut), (0, 0));
}

#[tokio::test]
async fn a_deadline_ends_a_sender_that_waits_for_room() {
    struct Deaf;
    impl EchoServicer for Deaf {
        async fn collect(
            &self,
            _requests: &mut Receiver<Echo>,
            _context: &mut Context,
        ) -> Result<Echo, Status> {
            std::future::pending().await
        }
    }
    let server = Server::builder().add_service(service(Deaf));
    let stub = EchoStub(Channel::in_process(server).unwrap());
    let mut call = stub.collect().timeout(Duration::from_millis(500)).start();
    let sending = async {
        loop {
            if let Err(status) = call.send(Echo::data(64 << 10)).await {
                return status;
            }
        }
    };
    let status = timeout(BOUND, sending).await.unwrap();
    assert_eq!(status.code(), Code::DeadlineExceeded);
}
