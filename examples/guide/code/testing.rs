//! What `testing.md` shows.

use std::time::Duration;

use grpc_runtime::{
    Channel, ChannelCredentials, Code, Context, Metadata, Sender, Server, Status, TestShutdown,
};
use grpc_testing::{CallWatch, Network, Reply, Script, no_leftovers};
use tokio::time::Instant;

use crate::example::{
    HelloRequest, HelloResponse, HelloServiceServer, HelloServiceServicer, HelloServiceStub,
    hello_service,
};

fn request(greeting: &str) -> HelloRequest {
    HelloRequest {
        greeting: greeting.to_owned(),
    }
}

fn response(reply: &str) -> HelloResponse {
    HelloResponse {
        reply: reply.to_owned(),
    }
}

/// What is tested of a server: it is short of time, and knows its user.
struct Greeter;

impl HelloServiceServicer for Greeter {
    async fn say_hello(
        &self,
        request: HelloRequest,
        context: &mut Context,
    ) -> Result<HelloResponse, Status> {
        let user = context.metadata().get("x-user");
        let user = user.ok_or_else(|| Status::unauthenticated("who asks?"))?;
        Ok(response(&format!("{}, {user}!", request.greeting)))
    }

    async fn lots_of_replies(
        &self,
        _request: HelloRequest,
        replies: &mut Sender<HelloResponse>,
        _context: &mut Context,
    ) -> Result<(), Status> {
        // An hour apart.
        for number in 1..=3 {
            replies.send(response(&number.to_string())).await?;
            tokio::time::sleep(Duration::from_secs(3600)).await;
        }
        Ok(())
    }
}

// snippet: in-process
#[tokio::test]
async fn a_user_is_greeted() {
    let server = Server::builder().add_service(HelloServiceServer::new(Greeter));
    let stub = HelloServiceStub::new(Channel::in_process(server).unwrap());

    let answer = stub.say_hello(request("Hello")).metadata("x-user", "Ada");
    assert_eq!(answer.await.unwrap().reply, "Hello, Ada!");

    let stranger = stub.say_hello(request("Hello")).await.unwrap_err();
    assert_eq!(stranger.code(), Code::Unauthenticated);
}
// end

// snippet: handler
#[tokio::test]
async fn a_handler_is_called_as_a_function() {
    let metadata = Metadata::from_pairs([("x-user", "Ada")]).unwrap();
    let mut context = Context::for_test()
        .metadata(metadata)
        .timeout(Duration::from_secs(5))
        .build();
    let answer = Greeter.say_hello(request("Hello"), &mut context).await;
    assert_eq!(answer.unwrap().reply, "Hello, Ada!");
}
// end

// snippet: client
/// The function under test: after UNAVAILABLE it waits 1 s and calls once more.
async fn ask(stub: &HelloServiceStub) -> Result<String, Status> {
    let call = || {
        stub.say_hello(request("Ada"))
            .timeout(Duration::from_secs(5))
    };
    let answer = match call().await {
        Err(status) if status.code() == Code::Unavailable => {
            tokio::time::sleep(Duration::from_secs(1)).await;
            call().await?
        }
        answer => answer?,
    };
    Ok(answer.reply)
}
// end

// snippet: script
#[tokio::test(start_paused = true)]
async fn a_client_asks_again() {
    let path = hello_service::SAY_HELLO.path();
    let script = Script::new()
        .on(path, Reply::status(Status::unavailable("restarting")))
        .on(path, Reply::message(&response("Hello, Ada!")))
        .on(path, Reply::hang()); // For the third call, and all that follow.
    let stub = HelloServiceStub::new(Channel::in_process(script.server()).unwrap());

    assert_eq!(ask(&stub).await.unwrap(), "Hello, Ada!");
    let calls = script.calls();
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[1].began() - calls[0].began(), Duration::from_secs(1));
    assert_eq!(
        calls[0].requests::<HelloRequest>().unwrap(),
        [request("Ada")]
    );

    // 5 seconds that take no time.
    let status = ask(&stub).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
}
// end

// snippet: paused
#[tokio::test(start_paused = true)]
async fn three_hours_pass_at_once() {
    let server = Server::builder().add_service(HelloServiceServer::new(Greeter));
    let stub = HelloServiceStub::new(Channel::in_process(server).unwrap());
    let began = Instant::now();
    let mut replies = stub.lots_of_replies(request("")).start();
    while replies.next().await.unwrap().is_some() {}
    assert_eq!(began.elapsed().as_secs(), 3 * 3600);
}
// end

// snippet: network
#[tokio::test(start_paused = true)]
async fn a_link_that_dies_is_found_out_by_keepalive() {
    let network = Network::new(7); // The seed of its jitter.
    let server = Server::builder()
        .permit_keepalive_time(Duration::from_secs(60))
        .add_service(HelloServiceServer::new(Greeter));
    let greeter = network.bind("greeter", server).await.unwrap();
    let link = network.link("client", "greeter");
    link.set_latency(Duration::from_millis(20));
    let channel = Channel::builder("passthrough:///greeter")
        .unwrap()
        .connector(network.connector("client"))
        .keepalive_time(Duration::from_secs(60))
        .keepalive_timeout(Duration::from_secs(10))
        .build(ChannelCredentials::insecure())
        .unwrap();
    let stub = HelloServiceStub::new(channel);

    let mut replies = stub.lots_of_replies(request("")).start();
    replies.next().await.unwrap();
    let began = Instant::now();
    link.down(); // It loses all bytes, and tells nobody.
    let status = replies.next().await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(began.elapsed() <= Duration::from_secs(70));

    link.restore();
    let call = stub.say_hello(request("Hello")).metadata("x-user", "Ada");
    assert_eq!(call.wait_for_ready().await.unwrap().reply, "Hello, Ada!");

    drop((stub, replies, greeter));
    no_leftovers(&network, Duration::from_secs(1)).await;
}
// end

// snippet: shutdown
#[tokio::test]
async fn a_handler_hears_that_its_server_leaves() {
    let server = TestShutdown::new();
    let context = Context::for_test().shutdown(&server).build();
    let leaving = context.leaving();
    server.leave();
    leaving.await;
}
// end

// snippet: watch
#[tokio::test(start_paused = true)]
async fn two_calls_run_at_once() {
    let path = hello_service::SAY_HELLO.path();
    let slow = Reply::message(&response("done")).delay(Duration::from_secs(1));
    let (script, watch) = (Script::new().on(path, slow), CallWatch::default());
    let server = script.server().interceptor(watch.clone());
    let stub = HelloServiceStub::new(Channel::in_process(server).unwrap());

    let call = || stub.say_hello(request("Ada")).response();
    let (one, two) = tokio::join!(call(), call());
    assert!(one.is_ok() && two.is_ok());
    assert_eq!((watch.most(), watch.running()), (2, 0));
}
// end
