//! Calls that a handler makes for the call it answers: they get its time and its
//! end, and nothing else of it.

use std::future::{IntoFuture, pending};
use std::time::Duration;

use grpc_runtime::{Channel, Code, Context, Receiver, Sender, Server, Status};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

use crate::support::{Echo, EchoServicer, EchoStub, service};

/// Long enough for anything that is not stuck.
const BOUND: Duration = Duration::from_secs(20);

/// Tells what reaches it, and when its handlers go.
struct Behind(UnboundedSender<String>);

struct Guard(UnboundedSender<String>);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.send("dropped".to_owned());
    }
}

impl EchoServicer for Behind {
    async fn unary(&self, _request: Echo, context: &mut Context) -> Result<Echo, Status> {
        let keys = context.metadata().iter().map(|(key, _)| key);
        let keys: Vec<&str> = keys.filter(|key| *key != "user-agent").collect();
        let _ = self.0.send(format!("entered with {keys:?}"));
        let _guard = Guard(self.0.clone());
        pending().await
    }

    async fn expand(
        &self,
        request: Echo,
        replies: &mut Sender<Echo>,
        _context: &mut Context,
    ) -> Result<(), Status> {
        for _ in 0..request.number {
            replies.send(Echo::default()).await?;
        }
        Ok(())
    }

    async fn chat(
        &self,
        requests: &mut Receiver<Echo>,
        replies: &mut Sender<Echo>,
        _context: &mut Context,
    ) -> Result<(), Status> {
        while let Some(request) = requests.next().await? {
            replies.send(request).await?;
        }
        Ok(())
    }
}

/// Makes its calls on tasks of their own, where nothing but the inheritance ends
/// them, and tells how they ended.
struct Between {
    behind: EchoStub,
    events: UnboundedSender<String>,
}

impl EchoServicer for Between {
    async fn unary(&self, request: Echo, context: &mut Context) -> Result<Echo, Status> {
        let call = self.behind.unary(Echo::default()).inherit(context);
        let events = self.events.clone();
        tokio::spawn(async move {
            let ended = call.await.unwrap_err();
            let _ = events.send(format!("child {:?}", ended.code()));
        });
        match request.text.as_str() {
            "answer" => Ok(request),
            _ => pending().await,
        }
    }

    async fn expand(
        &self,
        request: Echo,
        _replies: &mut Sender<Echo>,
        context: &mut Context,
    ) -> Result<(), Status> {
        // More than are kept in mind at once, and none of them open for long.
        for number in 0..request.number {
            let call = self.behind.expand(Echo::number(number % 3));
            let mut replies = call.inherit(context).start();
            while replies.next().await?.is_some() {}
        }
        let (mut requests, mut replies) = self.behind.chat().inherit(context).start();
        requests.send(Echo::default()).await?;
        replies.next().await?;
        let _ = self.events.send("chatting".to_owned());
        let events = self.events.clone();
        tokio::spawn(async move {
            let code = replies.next().await.unwrap_err().code();
            let sent = requests.send(Echo::default()).await.unwrap_err().code();
            let _ = events.send(format!("chat {code:?} {sent:?}"));
        });
        pending().await
    }
}

fn start() -> (EchoStub, UnboundedReceiver<String>) {
    let (events, receiver) = unbounded_channel();
    let behind = Server::builder().add_service(service(Behind(events.clone())));
    let between = Between {
        behind: EchoStub(Channel::in_process(behind).unwrap()),
        events,
    };
    let between = Server::builder().add_service(service(between));
    (EchoStub(Channel::in_process(between).unwrap()), receiver)
}

/// Waits for these events, in whatever order.
async fn expect(events: &mut UnboundedReceiver<String>, expected: &[&str]) {
    let mut got = Vec::new();
    while got.len() < expected.len() {
        got.push(timeout(BOUND, events.recv()).await.unwrap().unwrap());
    }
    got.sort_unstable();
    assert_eq!(got, expected);
}

#[tokio::test]
async fn a_cancelled_call_cancels_those_that_were_made_for_it() {
    let (stub, mut events) = start();
    let call = stub.unary(Echo::default()).metadata("x-secret", "s");
    let call = tokio::spawn(call.into_future());
    expect(&mut events, &["entered with []"]).await;
    call.abort();
    expect(&mut events, &["child Cancelled", "dropped"]).await;
}

/// In paused time: on a busy machine the caller's word of it may come before the deadline.
#[tokio::test(start_paused = true)]
async fn a_deadline_that_passes_is_one_for_both() {
    let (stub, mut events) = start();
    let call = stub.unary(Echo::default());
    let call = call.timeout(Duration::from_millis(300));
    assert_eq!(call.await.unwrap_err().code(), Code::DeadlineExceeded);
    let expected = ["child DeadlineExceeded", "dropped", "entered with []"];
    expect(&mut events, &expected).await;
}

#[tokio::test]
async fn a_call_may_outlive_the_answer_of_the_one_it_was_made_for() {
    let (stub, mut events) = start();
    stub.unary(Echo::text("answer")).await.unwrap();
    expect(&mut events, &["entered with []"]).await;
    // Another pair of calls comes and goes, and nothing happens to the first.
    let other = tokio::spawn(stub.unary(Echo::default()).into_future());
    expect(&mut events, &["entered with []"]).await;
    other.abort();
    expect(&mut events, &["child Cancelled", "dropped"]).await;
    assert!(events.try_recv().is_err());
}

#[tokio::test]
async fn streams_inherit_too_however_many_calls_came_before() {
    let (stub, mut events) = start();
    let replies = stub.expand(Echo::number(100)).start();
    expect(&mut events, &["chatting"]).await;
    // The handler has to be waiting before its caller leaves.
    tokio::task::yield_now().await;
    drop(replies);
    expect(&mut events, &["chat Cancelled Cancelled"]).await;
}
