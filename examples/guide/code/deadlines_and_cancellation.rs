//! How long a call may take, and how it ends before it is done.

use std::sync::Arc;
use std::time::{Duration, Instant};

use grpc_runtime::{
    Channel, ChannelCredentials, ChannelError, Code, Context, DeadlinePolicy, MethodLimits, Sender,
    Server, ServerLimits, Status,
};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::example::{
    HelloRequest, HelloResponse, HelloServiceServer, HelloServiceServicer, HelloServiceStub,
};
use crate::harness::output;

/// Takes an hour for each greeting, and counts those that were not finished.
#[derive(Clone)]
struct Slow {
    stopped: Arc<watch::Sender<u32>>,
}

struct Running<'a>(&'a Slow);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.stopped.send_modify(|count| *count += 1);
    }
}

impl Slow {
    fn new() -> Self {
        Self {
            stopped: Arc::new(watch::Sender::new(0)),
        }
    }

    fn channel(&self) -> Channel {
        let server = Server::builder().add_service(HelloServiceServer::new(self.clone()));
        Channel::in_process(server).unwrap()
    }

    fn stub(&self) -> HelloServiceStub {
        HelloServiceStub::new(self.channel())
    }

    /// So many handlers were dropped before they were done.
    async fn have_stopped(&self, count: u32) {
        let mut stopped = self.stopped.subscribe();
        stopped.wait_for(|stopped| *stopped >= count).await.unwrap();
    }
}

impl HelloServiceServicer for Slow {
    async fn say_hello(
        &self,
        request: HelloRequest,
        context: &mut Context,
    ) -> Result<HelloResponse, Status> {
        let _running = Running(self);
        // snippet: remaining
        // None where the caller set no deadline.
        if context
            .time_remaining()
            .is_some_and(|left| left < Duration::from_millis(50))
        {
            return Err(Status::deadline_exceeded("too little time to look it up"));
        }
        // end
        sleep(Duration::from_secs(3600)).await;
        Ok(HelloResponse {
            reply: format!("Hello, {}!", request.greeting),
        })
    }

    // snippet: leaving
    async fn lots_of_replies(
        &self,
        request: HelloRequest,
        replies: &mut Sender<HelloResponse>,
        context: &mut Context,
    ) -> Result<(), Status> {
        let leaving = context.leaving();
        tokio::pin!(leaving);
        loop {
            tokio::select! {
                // The caller knows by this code that it should call again, another server.
                () = &mut leaving => return Err(Status::unavailable("the server leaves")),
                () = sleep(Duration::from_millis(1)) => {
                    let reply = format!("still here, {}", request.greeting);
                    replies.send(HelloResponse { reply }).await?;
                }
            }
        }
    }
    // end
}

fn greeting(name: &str) -> HelloRequest {
    HelloRequest {
        greeting: name.to_owned(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_has_its_time() {
    let slow = Slow::new();
    let stub = slow.stub();
    // snippet: timeout
    let call = stub
        .say_hello(greeting("Ada"))
        .timeout(Duration::from_secs(5));
    match call.await {
        Ok(response) => println!("{}", response.reply),
        Err(status) if status.code() == Code::DeadlineExceeded => println!("too slow: {status}"),
        Err(status) => println!("{status}"),
    }
    // end
    let call = stub
        .say_hello(greeting("Ada"))
        .timeout(Duration::from_secs(5));
    let status = call.await.unwrap_err();
    output("exceeded", &status.to_string());
    slow.have_stopped(2).await;

    let call = stub
        .say_hello(greeting("Ada"))
        .timeout(Duration::from_millis(20));
    assert_eq!(call.await.unwrap_err().code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn several_calls_share_a_deadline() {
    let slow = Slow::new();
    let stub = slow.stub();
    // snippet: deadline
    let end = Instant::now() + Duration::from_millis(200);
    let first = stub.say_hello(greeting("Ada")).deadline(end).await;
    let second = stub.say_hello(greeting("Grace")).deadline(end).await; // what is left of it
    // end
    assert_eq!(first.unwrap_err().code(), Code::DeadlineExceeded);
    assert_eq!(second.unwrap_err().code(), Code::DeadlineExceeded);
    assert!(end.elapsed() < Duration::from_secs(5));
}

// snippet: default-timeout
fn channel(target: &str) -> Result<Channel, ChannelError> {
    Channel::builder(target)?
        .default_timeout(Duration::from_millis(200))
        .build(ChannelCredentials::insecure())
}
// end

#[tokio::test]
async fn a_channels_calls_have_a_time() {
    let stub = HelloServiceStub::new(channel("127.0.0.1:1").unwrap());
    // snippet: wait-for-ready
    let call = stub.say_hello(greeting("Ada")).wait_for_ready();
    let status = call.await.unwrap_err();
    // end
    assert_eq!(status.code(), Code::DeadlineExceeded);
    #[cfg(target_os = "linux")]
    output("no-connection", &status.to_string());
    #[cfg(not(target_os = "linux"))]
    assert!(status.message().contains("127.0.0.1:1"), "{status}");
}

#[tokio::test(start_paused = true)]
async fn a_server_has_its_say() {
    // snippet: policy
    let usual = DeadlinePolicy::new()
        .assumed(Duration::from_secs(10)) // of calls without a deadline
        .at_most(Duration::from_secs(60)) // longer ones are cut down to this
        .at_least(Duration::from_millis(2)); // shorter ones are refused at once
    let endless = MethodLimits::new().deadlines(DeadlinePolicy::new());
    let limits = ServerLimits::new()
        .deadlines(usual)
        .method("/example.HelloService/LotsOfReplies", endless);
    let server = Server::builder().limits(limits);
    // end
    let slow = Slow::new();
    let server = server.add_service(HelloServiceServer::new(slow.clone()));
    let stub = HelloServiceStub::new(Channel::in_process(server).unwrap());
    let began = tokio::time::Instant::now();
    let status = stub.say_hello(greeting("Ada")).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(began.elapsed().as_secs(), 10);
}

/// Asks another server for each greeting.
struct Gateway {
    greeter: HelloServiceStub,
}

impl HelloServiceServicer for Gateway {
    // snippet: inherit
    async fn say_hello(
        &self,
        request: HelloRequest,
        context: &mut Context,
    ) -> Result<HelloResponse, Status> {
        // It ends when this call's deadline passes, its caller cancels or is lost.
        self.greeter.say_hello(request).inherit(context).await
    }
    // end
}

#[tokio::test(start_paused = true)]
async fn a_call_within_a_call_ends_with_it() {
    let slow = Slow::new();
    let gateway = Gateway {
        greeter: slow.stub(),
    };
    let server = Server::builder().add_service(HelloServiceServer::new(gateway));
    let stub = HelloServiceStub::new(Channel::in_process(server).unwrap());
    let call = stub
        .say_hello(greeting("Ada"))
        .timeout(Duration::from_secs(5));
    assert_eq!(call.await.unwrap_err().code(), Code::DeadlineExceeded);
    slow.have_stopped(1).await;

    let call = stub.say_hello(greeting("Ada")).response();
    let call = tokio::time::timeout(Duration::from_secs(5), call);
    assert!(call.await.is_err());
    slow.have_stopped(2).await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_is_cancelled() {
    let slow = Slow::new();
    let stub = slow.stub();
    let user_gives_up = sleep(Duration::from_secs(1));
    // snippet: cancel
    tokio::select! {
        result = stub.say_hello(greeting("Ada")) => println!("{result:?}"),
        () = user_gives_up => {} // the call is dropped here, and so is its handler
    }
    // end
    slow.have_stopped(1).await;

    // snippet: cancel-stream
    let mut replies = stub.lots_of_replies(greeting("Ada")).start();
    let first = replies.next().await;
    replies.cancel();
    while let Ok(Some(_)) = replies.next().await {} // what had already arrived
    let status = replies.next().await.unwrap_err();
    // end
    assert!(first.unwrap().is_some());
    assert_eq!(status.code(), Code::Cancelled);
    output("cancelled", &status.to_string());
}

/// Indexes each name after it has answered.
struct Index {
    done: Arc<watch::Sender<&'static str>>,
}

async fn index(_name: String) {
    sleep(Duration::from_secs(3600)).await;
}

impl HelloServiceServicer for Index {
    // snippet: task
    async fn say_hello(
        &self,
        request: HelloRequest,
        context: &mut Context,
    ) -> Result<HelloResponse, Status> {
        let cancelled = context.cancelled();
        // end
        let done = Arc::clone(&self.done);
        // snippet: task
        let task = tokio::spawn(async move {
            tokio::select! {
                () = index(request.greeting) => {}
                // True if nobody waits for the answer any more; false once it was given.
                true = cancelled => {}
            }
            // end
            done.send_replace("stopped");
            // snippet: task
        });
        task.await
            .map_err(|_| Status::internal("the index failed"))?;
        Ok(HelloResponse::default())
    }
    // end
}

#[tokio::test(start_paused = true)]
async fn a_handlers_task_hears_of_the_end() {
    let done = Arc::new(watch::Sender::new(""));
    let mut watched = done.subscribe();
    let server = Server::builder().add_service(HelloServiceServer::new(Index { done }));
    let stub = HelloServiceStub::new(Channel::in_process(server).unwrap());
    let call = stub
        .say_hello(greeting("Ada"))
        .timeout(Duration::from_secs(1));
    assert_eq!(call.await.unwrap_err().code(), Code::DeadlineExceeded);
    watched.wait_for(|done| *done == "stopped").await.unwrap();
}

#[tokio::test]
async fn a_stream_says_goodbye_when_its_server_leaves() {
    let server = Server::builder()
        .add_service(HelloServiceServer::new(Slow::new()))
        .listen("127.0.0.1:0")
        .start()
        .await
        .unwrap();
    let stub = HelloServiceStub::new(Channel::insecure(&server.addresses()[0]).unwrap());
    let mut replies = stub.lots_of_replies(greeting("Ada")).start();
    assert!(replies.next().await.unwrap().is_some());
    let server = tokio::spawn(server.shutdown(Duration::from_secs(30)));
    let status = loop {
        if let Err(status) = replies.next().await {
            break status;
        }
    };
    assert_eq!(
        (status.code(), status.message()),
        (Code::Unavailable, "the server leaves")
    );
    assert_eq!(server.await.unwrap().calls_cut, 0);
}
