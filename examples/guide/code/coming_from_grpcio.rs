//! What `coming-from-grpcio.md` has of this project's side.

use std::time::Duration;

use grpc_runtime::{CallLimit, Channel, Code, Context, Sender, Server, ServerLimits, Status};

use crate::example::{
    HelloRequest, HelloResponse, HelloServiceServer, HelloServiceServicer, HelloServiceStub,
};

type Anything = Result<(), Box<dyn std::error::Error>>;

// snippet: servicer
struct Greeter;

impl HelloServiceServicer for Greeter {
    async fn say_hello(
        &self,
        request: HelloRequest,
        context: &mut Context,
    ) -> Result<HelloResponse, Status> {
        if request.greeting.is_empty() {
            return Err(Status::invalid_argument("whom shall I greet?"));
        }
        let id = context.metadata().get("x-id").unwrap_or("none").to_owned();
        context.trailing_metadata_mut().append("x-seen", &id)?;
        let reply = format!("Hello, {}!", request.greeting);
        Ok(HelloResponse { reply })
    }

    async fn lots_of_replies(
        &self,
        request: HelloRequest,
        replies: &mut Sender<HelloResponse>,
        _context: &mut Context,
    ) -> Result<(), Status> {
        for number in 1..=3 {
            let reply = format!("{number}: {}", request.greeting);
            replies.send(HelloResponse { reply }).await?;
        }
        Ok(())
    }
}
// end

fn greeting(text: &str) -> HelloRequest {
    HelloRequest {
        greeting: text.to_owned(),
    }
}

#[tokio::test]
async fn a_server_serves_and_stops() -> Anything {
    // snippet: server
    let server = Server::builder()
        .add_service(HelloServiceServer::new(Greeter))
        .limits(ServerLimits::new().calls(CallLimit::new(100)))
        .listen("[::1]:0")
        // end
        .listen("127.0.0.1:0")
        // snippet: server
        .start()
        .await?;
    // end
    let address = server.addresses()[1].clone();
    let request = greeting("you");
    // snippet: call
    let stub = HelloServiceStub::new(Channel::insecure(address)?);
    let call = stub
        .say_hello(request)
        .timeout(Duration::from_secs(1))
        .metadata("x-id", "7");
    match call.response().await {
        Ok(response) => println!(
            "{} {:?}",
            response.message.reply, response.trailing_metadata
        ),
        Err(status) if status.code() == Code::DeadlineExceeded => println!("too late"),
        Err(status) => println!("{:?}: {}", status.code(), status.message()),
    }

    let mut replies = stub.lots_of_replies(greeting("you")).start();
    while let Some(reply) = replies.next().await? {
        println!("{}", reply.reply);
    }
    // end
    let call = stub.say_hello(greeting("you")).metadata("x-id", "7");
    let response = call.response().await?;
    assert_eq!(response.message.reply, "Hello, you!");
    assert_eq!(response.trailing_metadata.get("x-seen"), Some("7"));
    let status = stub.say_hello(greeting("")).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    // snippet: stop
    server.shutdown(Duration::from_secs(5)).await;
    // end
    Ok(())
}

// snippet: blocking
fn greet(address: &str) -> Result<(), Box<dyn std::error::Error>> {
    let stub = HelloServiceStub::new(Channel::insecure(address)?);
    println!("{}", stub.say_hello(greeting("you")).wait()?.reply);
    for reply in stub.lots_of_replies(greeting("you")).wait() {
        println!("{}", reply?.reply);
    }
    Ok(())
}
// end

#[tokio::test(flavor = "multi_thread")]
async fn a_thread_without_a_runtime_calls() -> Anything {
    let server = Server::builder().add_service(HelloServiceServer::new(Greeter));
    let server = server.listen("127.0.0.1:0").start().await?;
    let address = server.addresses()[0].clone();
    let greets = move || greet(&address).map_err(|error| error.to_string());
    std::thread::spawn(greets).join().unwrap()?;
    Ok(())
}
