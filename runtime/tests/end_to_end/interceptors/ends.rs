//! Every call that an interceptor saw ends once for its listener, however it ends.

use std::future::{IntoFuture, pending};
use std::time::Duration;

use grpc_runtime::{
    Channel, Code, Context, Next, Outcome, Receiver, Sender, Server, ServerBuilder,
    ServerInterceptor, Status, Traffic,
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

use crate::support::{Echo, EchoServicer, EchoStub, service};

/// Long enough for anything that is not stuck.
const BOUND: Duration = Duration::from_secs(20);

/// How a call ended, and its messages each way.
type Told = (Code, u64, u64);

struct Ends(UnboundedSender<Told>);

impl ServerInterceptor for Ends {
    async fn intercept(&self, context: &mut Context, mut next: Next<'_>) -> Outcome {
        let told = self.0.clone();
        next.on_end(move |call| {
            let messages = |traffic: Traffic| traffic.messages;
            let (sent, received) = (messages(call.sent()), messages(call.received()));
            told.send((call.code(), sent, received)).unwrap();
        });
        let panics = context.metadata().get("x-panic").is_some();
        assert!(!panics, "this panic is part of a test");
        if context.metadata().get("x-refuse").is_some() {
            return Status::permission_denied("not you").into();
        }
        next.run(context).await
    }
}

struct Waits(UnboundedSender<()>);

impl Waits {
    async fn wait(&self) {
        self.0.send(()).unwrap();
        pending::<()>().await;
    }
}

impl EchoServicer for Waits {
    async fn unary(&self, request: Echo, _context: &mut Context) -> Result<Echo, Status> {
        match request.text.as_str() {
            "wait" => self.wait().await,
            "fail" => return Err(Status::not_found("no such thing")),
            "panic" => panic!("this panic is part of a test"),
            _ => {}
        }
        Ok(request)
    }

    async fn chat(
        &self,
        requests: &mut Receiver<Echo>,
        replies: &mut Sender<Echo>,
        _context: &mut Context,
    ) -> Result<(), Status> {
        while let Some(request) = requests.next().await? {
            let waits = request.text == "wait";
            replies.send(request).await?;
            if waits {
                self.wait().await;
            }
        }
        Ok(())
    }
}

struct Served {
    server: Server,
    stub: EchoStub,
    told: UnboundedReceiver<Told>,
    entered: UnboundedReceiver<()>,
}

async fn serve(builder: ServerBuilder) -> Served {
    let (tell, told) = unbounded_channel();
    let (enter, entered) = unbounded_channel();
    let builder = builder
        .interceptor(Ends(tell))
        .add_service(service(Waits(enter)));
    let server = builder.listen("127.0.0.1:0").start().await.unwrap();
    let stub = EchoStub(Channel::insecure(&server.addresses()[0]).unwrap());
    Served {
        server,
        stub,
        told,
        entered,
    }
}

impl Served {
    async fn told(&mut self) -> Told {
        let told = timeout(BOUND, self.told.recv()).await;
        told.expect("the listener hears of the end").unwrap()
    }

    async fn entered(&mut self) {
        timeout(BOUND, self.entered.recv()).await.unwrap().unwrap();
    }

    /// Nothing more is told, of whatever was called.
    async fn ends(mut self) {
        drop(self.stub);
        self.server.shutdown(BOUND).await;
        assert_eq!(self.told.recv().await, None);
    }
}

#[tokio::test]
async fn an_answer_is_told_once() {
    let mut served = serve(Server::builder()).await;
    let stub = served.stub.clone();
    stub.unary(Echo::text("hi")).await.unwrap();
    assert_eq!(served.told().await, (Code::Ok, 1, 1));
    stub.unary(Echo::text("fail")).await.unwrap_err();
    assert_eq!(served.told().await, (Code::NotFound, 0, 1));
    stub.unary(Echo::text("panic")).await.unwrap_err();
    assert_eq!(served.told().await, (Code::Internal, 0, 1));
    let refused = stub.unary(Echo::default()).metadata("x-refuse", "1").await;
    refused.unwrap_err();
    // The handler has not had the message.
    assert_eq!(served.told().await, (Code::PermissionDenied, 0, 0));
    let panicked = stub.unary(Echo::default()).metadata("x-panic", "1").await;
    assert_eq!(panicked.unwrap_err().code(), Code::Internal);
    assert_eq!(served.told().await.0, Code::Internal);

    let (mut requests, mut replies) = stub.chat().start();
    for _ in 0..3 {
        requests.send(Echo::default()).await.unwrap();
    }
    requests.finish();
    while replies.next().await.unwrap().is_some() {}
    assert_eq!(served.told().await, (Code::Ok, 3, 3));
    drop((stub, replies));
    served.ends().await;
}

#[tokio::test]
async fn a_caller_that_leaves_is_told_as_cancelled() {
    let mut served = serve(Server::builder()).await;
    let call = tokio::spawn(served.stub.unary(Echo::text("wait")).into_future());
    served.entered().await;
    call.abort();
    assert_eq!(served.told().await, (Code::Cancelled, 0, 1));

    let (mut requests, replies) = served.stub.chat().start();
    requests.send(Echo::text("wait")).await.unwrap();
    served.entered().await;
    drop((requests, replies));
    assert_eq!(served.told().await, (Code::Cancelled, 1, 1));
    served.ends().await;
}

#[tokio::test]
async fn a_deadline_that_passes_is_told_as_such() {
    let mut served = serve(Server::builder()).await;
    let time = Duration::from_secs(1);
    let call = served.stub.unary(Echo::text("wait")).timeout(time);
    // The client stands still from then on: its reset must not come first.
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let client = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let call = runtime.spawn(call.into_future());
        runtime.block_on(stopped).unwrap();
        (runtime, call)
    });
    served.entered().await;
    stop.send(()).unwrap();
    let (runtime, _call) = client.await.unwrap();
    assert_eq!(served.told().await, (Code::DeadlineExceeded, 0, 1));
    runtime.shutdown_background();
    served.ends().await;
}

#[tokio::test]
async fn what_a_server_cuts_is_told_as_unavailable() {
    let mut served = serve(Server::builder()).await;
    let call = tokio::spawn(served.stub.unary(Echo::text("wait")).into_future());
    served.entered().await;
    let (mut requests, _replies) = served.stub.chat().start();
    requests.send(Echo::text("wait")).await.unwrap();
    served.entered().await;
    let report = served.server.shutdown(Duration::from_millis(10)).await;
    assert_eq!(report.calls_cut, 2);
    call.await.unwrap().unwrap_err();
    for _ in 0..2 {
        let told = timeout(BOUND, served.told.recv()).await.unwrap().unwrap();
        assert_eq!(told.0, Code::Unavailable);
    }
    assert_eq!(timeout(BOUND, served.told.recv()).await.unwrap(), None);
}

#[tokio::test]
async fn a_connection_that_is_lost_is_told_as_cancelled() {
    let mut served = serve(Server::builder()).await;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let _call = runtime.spawn(served.stub.unary(Echo::text("wait")).into_future());
    served.entered().await;
    runtime.shutdown_background();
    assert_eq!(served.told().await, (Code::Cancelled, 0, 1));
    served.ends().await;
}
