//! Streams over their whole life: quiet for long, ended by either half first, and
//! gone without a trace when they are cancelled.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use grpc_runtime::{Channel, Code, Context, Http2Options, Receiver, Sender, Server, Status};
use tokio::time::timeout;

use crate::calls::Echoes;
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
    assert_eq!(status.code(), Code::Cancelled, "{status}");
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

/// Gives messages that are there, then what `then` says.
struct Messages {
    left: Vec<Echo>,
    then: Then,
}

enum Then {
    Ends,
    Waits,
}

impl futures_core::Stream for Messages {
    type Item = Echo;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Echo>> {
        match (self.left.pop(), &self.then) {
            (None, Then::Waits) => std::task::Poll::Pending,
            (next, _) => std::task::Poll::Ready(next),
        }
    }
}

fn messages(count: i64, size: usize, then: Then) -> Messages {
    let message = |number| Echo {
        number,
        ..Echo::data(size)
    };
    let left = (0..count).rev().map(message).collect();
    Messages { left, then }
}

#[tokio::test]
async fn a_stream_of_messages_goes_out_whole_whatever_its_size() {
    let stub =
        EchoStub(Channel::in_process(Server::builder().add_service(service(Echoes))).unwrap());
    let (mut requests, mut replies) = stub.chat().start();
    let sending = tokio::spawn(async move {
        requests
            .send_all(messages(100, 50_000, Then::Ends))
            .await
            .unwrap();
        requests.finish();
    });
    for number in 0..100 {
        let reply = timeout(BOUND, replies.next()).await.unwrap().unwrap();
        assert_eq!(reply.unwrap().number, number);
    }
    assert_eq!(replies.next().await.unwrap(), None);
    sending.await.unwrap();
}

#[tokio::test]
async fn a_stream_of_messages_ends_with_the_call() {
    let stub =
        EchoStub(Channel::in_process(Server::builder().add_service(service(Echoes))).unwrap());
    // An early answer is no error, though the stream has more to come.
    let mut call = stub.collect().start();
    call.send(Echo::number(5)).await.unwrap();
    call.send(Echo::text("enough")).await.unwrap();
    let all = call.send_all(messages(0, 0, Then::Waits));
    timeout(BOUND, all).await.unwrap().unwrap();
    assert_eq!(call.finish().await.unwrap().number, 5);
    // A failure is.
    let mut call = stub
        .collect()
        .timeout(std::time::Duration::from_millis(50))
        .start();
    let all = call.send_all(messages(1, 10, Then::Waits));
    let status = timeout(BOUND, all).await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn a_stream_that_fails_ends_the_sending_with_its_own_error() {
    let stub =
        EchoStub(Channel::in_process(Server::builder().add_service(service(Echoes))).unwrap());
    // What a call for "fail" answers fails after its messages.
    let failing = Echo {
        number: 3,
        ..Echo::text("fail")
    };
    let mut from = stub.expand(failing).start();
    let (mut to, mut replies) = stub.chat().start();
    let status = timeout(BOUND, to.try_send_all(&mut from)).await.unwrap();
    assert_eq!(status.unwrap_err().code(), Code::Aborted);
    for number in 0..3 {
        assert_eq!(replies.next().await.unwrap().unwrap().number, number);
    }
    drop(to);
    assert_eq!(replies.next().await.unwrap_err().code(), Code::Cancelled);
}

#[tokio::test]
async fn a_sender_is_a_sink() {
    use std::future::poll_fn;
    use std::pin::Pin;

    use futures_sink::Sink;

    let stub =
        EchoStub(Channel::in_process(Server::builder().add_service(service(Echoes))).unwrap());
    for compression in [
        grpc_runtime::Compression::Identity,
        #[cfg(feature = "compression")]
        grpc_runtime::Compression::Gzip,
    ] {
        let (mut requests, mut replies) = stub.chat().compression(compression).start();
        let sending = tokio::spawn(async move {
            for number in 0..50 {
                poll_fn(|cx| Pin::new(&mut requests).poll_ready(cx))
                    .await
                    .unwrap();
                let message = Echo {
                    number,
                    ..Echo::data(30_000)
                };
                Pin::new(&mut requests).start_send(message).unwrap();
            }
            poll_fn(|cx| Pin::new(&mut requests).poll_flush(cx))
                .await
                .unwrap();
            poll_fn(|cx| Pin::new(&mut requests).poll_close(cx))
                .await
                .unwrap();
            let late = requests.send(Echo::default()).await.unwrap_err();
            assert!(late.message().contains("finished"), "{late}");
        });
        for number in 0..50 {
            let reply = timeout(BOUND, replies.next()).await.unwrap().unwrap();
            assert_eq!(reply.unwrap().number, number);
        }
        assert_eq!(replies.next().await.unwrap(), None);
        timeout(BOUND, sending).await.unwrap().unwrap();
        // Nobody is left to take more.
        let (mut requests, replies) = stub.chat().start();
        drop(replies);
        let ready = poll_fn(|cx| Pin::new(&mut requests).poll_ready(cx)).await;
        assert_eq!(ready.unwrap_err().code(), Code::Cancelled);
    }
}

/// Asks for the response's head where there is none.
struct Asks;

impl EchoServicer for Asks {
    async fn chat(
        &self,
        requests: &mut Receiver<Echo>,
        replies: &mut Sender<Echo>,
        context: &mut Context,
    ) -> Result<(), Status> {
        let head = requests.initial_metadata().await?;
        assert!(head.is_empty());
        let key = context.metadata().get("x-key").unwrap_or_default();
        replies.send(Echo::text(key)).await
    }
}

#[tokio::test]
async fn a_handler_that_asks_its_receiver_for_initial_metadata_does_not_wait() {
    let server = Server::builder().add_service(service(Asks));
    let stub = EchoStub(Channel::in_process(server).unwrap());
    // The requests do not end.
    let (requests, mut replies) = stub.chat().metadata("x-key", "ada").start();
    let reply = timeout(BOUND, replies.next()).await.unwrap().unwrap();
    assert_eq!(reply.unwrap().text, "ada");
    drop(requests);
}
