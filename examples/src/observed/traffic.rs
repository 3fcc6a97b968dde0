//! The observed traffic: a service, and calls to it that end in five ways. This code does
//! not refer to observers; a handler logs one line.

use std::future::pending;
use std::time::Duration;

use grpc_runtime::{Channel, Context, Method, Sender, Status, UnaryCall, tracing};

grpc_runtime::include_proto!("example");

/// The server does not have it, as with a client that is newer.
const SAY_GOODBYE: Method = Method::unary("/example.HelloService/SayGoodbye");

/// Long enough for a call that ends by itself.
const PATIENCE: Duration = Duration::from_secs(10);
/// A timeout that is too short for the call that does not answer.
const HURRY: Duration = Duration::from_millis(100);

pub(crate) struct Greeter;

impl HelloServiceServicer for Greeter {
    async fn say_hello(
        &self,
        request: HelloRequest,
        _context: &mut Context,
    ) -> Result<HelloResponse, Status> {
        match request.greeting.as_str() {
            "" => return Err(Status::invalid_argument("whom shall I greet?")),
            // He does not wake up in time.
            "Rip" => pending().await,
            // The event belongs to the call's span, so its reader knows which call it was.
            name => tracing::info!(name, "greeted"),
        }
        let reply = format!("Hello, {}!", request.greeting);
        Ok(HelloResponse { reply })
    }

    /// Goes on until the client has had enough, and cancels the call.
    async fn lots_of_replies(
        &self,
        request: HelloRequest,
        replies: &mut Sender<HelloResponse>,
        _context: &mut Context,
    ) -> Result<(), Status> {
        loop {
            let reply = format!("Hello, {}!", request.greeting);
            replies.send(HelloResponse { reply }).await?;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// Makes that many calls, a fifth of each kind.
pub(crate) async fn make_calls(channel: &Channel, calls: usize) {
    let stub = HelloServiceStub::new(channel.clone());
    for call in 0..calls {
        // Observers report how the call ended, so the result is ignored here.
        let _ = match call % 5 {
            0 => say_hello(&stub, "Ada", PATIENCE).await,
            1 => say_hello(&stub, "", PATIENCE).await,
            2 => cancel(&stub).await,
            3 => say_hello(&stub, "Rip", HURRY).await,
            _ => say_goodbye(channel).await,
        };
    }
}

async fn say_hello(stub: &HelloServiceStub, name: &str, timeout: Duration) -> Result<(), Status> {
    stub.say_hello(greeting(name)).timeout(timeout).await?;
    Ok(())
}

async fn cancel(stub: &HelloServiceStub) -> Result<(), Status> {
    let call = stub.lots_of_replies(greeting("Grace")).timeout(PATIENCE);
    let mut replies = call.start();
    // One is enough. A call that is dropped is cancelled.
    replies.next().await?;
    Ok(())
}

async fn say_goodbye(channel: &Channel) -> Result<(), Status> {
    let call = UnaryCall::<HelloResponse>::new(channel, SAY_GOODBYE, &greeting("Barbara"));
    call.timeout(PATIENCE).await?;
    Ok(())
}

fn greeting(name: &str) -> HelloRequest {
    let greeting = name.to_owned();
    HelloRequest { greeting }
}
