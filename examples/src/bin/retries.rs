//! Retries and hedging: callers do not notice that one server is busy and another one hangs.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use grpc_runtime::{
    Channel, ChannelCredentials, Code, Context, HedgingPolicy, MethodConfig, RetryPolicy, Server,
    ServiceConfig, Status,
};

grpc_runtime::include_proto!("example");

/// Is busy for two calls of three, and hangs for the name that says so, once.
#[derive(Default)]
struct Greeter {
    calls: AtomicU32,
    has_hung: AtomicU32,
}

impl HelloServiceServicer for Greeter {
    async fn say_hello(
        &self,
        request: HelloRequest,
        context: &mut Context,
    ) -> Result<HelloResponse, Status> {
        if request.greeting == "hang" && self.has_hung.fetch_add(1, Ordering::Relaxed) == 0 {
            // Until it is cancelled: another attempt has won.
            std::future::pending::<()>().await;
        }
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        if request.greeting == "busy" && call % 3 != 2 {
            return Err(Status::unavailable("busy"));
        }
        let before = context.metadata().get("grpc-previous-rpc-attempts");
        let before = before.unwrap_or("0");
        Ok(HelloResponse {
            reply: format!("answered, after {before} attempts"),
        })
    }
}

fn channel(to: &str, method: MethodConfig) -> Result<HelloServiceStub, Box<dyn std::error::Error>> {
    let config = ServiceConfig::builder()
        .method("example.HelloService", "SayHello", method)
        .build()?;
    let channel = Channel::builder(to)?
        .service_config(config)
        .build(ChannelCredentials::insecure())?;
    Ok(HelloServiceStub::new(channel))
}

fn request(greeting: &str) -> HelloRequest {
    HelloRequest {
        greeting: greeting.to_owned(),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::builder()
        .add_service(HelloServiceServer::new(Greeter::default()))
        .listen("127.0.0.1:0")
        .start()
        .await?;
    let to = server.addresses()[0].clone();

    // Without a policy a call has one attempt.
    let plain = HelloServiceStub::new(Channel::insecure(&to)?);
    if let Err(failure) = plain.say_hello(request("busy")).await {
        println!("without a policy: {failure}");
    }

    let patient = RetryPolicy::new([Code::Unavailable])
        .max_attempts(4)
        .backoff(Duration::from_millis(10), 2.0, Duration::from_millis(100));
    let stub = channel(&to, MethodConfig::new().retry(patient))?;
    println!("retried: {}", stub.say_hello(request("busy")).await?.reply);

    // An error tells of each attempt and its server.
    let hasty = RetryPolicy::new([Code::Unavailable])
        .max_attempts(2)
        .backoff(Duration::from_millis(10), 2.0, Duration::from_millis(100));
    let stub = channel(&to, MethodConfig::new().retry(hasty))?;
    if let Err(failure) = stub.say_hello(request("busy")).await {
        for attempt in failure.attempts() {
            let server = attempt.peer().unwrap_or("no server");
            let (code, message) = (attempt.code(), attempt.message());
            println!("the attempt at {server} failed: {code}: {message}");
        }
    }

    // A second attempt beside the first one, if that has not answered within 50 ms. Behind
    // a policy as `RoundRobin` it goes to another server; here there is one.
    let hedging = HedgingPolicy::new(Duration::from_millis(50)).max_attempts(2);
    let stub = channel(&to, MethodConfig::new().hedging(hedging))?;
    println!("hedged: {}", stub.say_hello(request("hang")).await?.reply);
    Ok(())
}
