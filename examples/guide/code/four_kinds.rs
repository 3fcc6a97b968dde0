//! The four kinds of call, from both sides.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use grpc_runtime::{Channel, Code, Context, Receiver, Sender, Server, Status};

use crate::example::{
    HelloRequest, HelloResponse, HelloServiceServer, HelloServiceServicer, HelloServiceStub,
};
use crate::harness::output;

#[derive(Default)]
struct Greeter {
    /// Whether a stream of greetings came to its end.
    has_all: Arc<AtomicBool>,
}

impl HelloServiceServicer for Greeter {
    // snippet: serve-unary
    async fn say_hello(
        &self,
        request: HelloRequest,
        _context: &mut Context,
    ) -> Result<HelloResponse, Status> {
        Ok(HelloResponse {
            reply: format!("Hello, {}!", request.greeting),
        })
    }
    // end

    // snippet: serve-server-streaming
    async fn lots_of_replies(
        &self,
        request: HelloRequest,
        replies: &mut Sender<HelloResponse>,
        _context: &mut Context,
    ) -> Result<(), Status> {
        for salute in ["Hello", "Bonjour", "Hola"] {
            let reply = format!("{salute}, {}!", request.greeting);
            replies.send(HelloResponse { reply }).await?;
        }
        Ok(())
    }
    // end

    // snippet: serve-client-streaming
    async fn lots_of_greetings(
        &self,
        requests: &mut Receiver<HelloRequest>,
        _context: &mut Context,
    ) -> Result<HelloResponse, Status> {
        let mut names = Vec::new();
        while let Some(request) = requests.next().await? {
            names.push(request.greeting);
        }
        // end
        self.has_all.store(true, Ordering::SeqCst);
        // snippet: serve-client-streaming
        Ok(HelloResponse {
            reply: format!("Hello, {}!", names.join(", ")),
        })
    }
    // end

    // snippet: serve-bidi
    async fn bidi_hello(
        &self,
        requests: &mut Receiver<HelloRequest>,
        replies: &mut Sender<HelloResponse>,
        _context: &mut Context,
    ) -> Result<(), Status> {
        while let Some(request) = requests.next().await? {
            let reply = format!("Hello, {}!", request.greeting);
            replies.send(HelloResponse { reply }).await?;
        }
        Ok(())
    }
    // end
}

fn serve(greeter: Greeter) -> HelloServiceStub {
    let server = Server::builder().add_service(HelloServiceServer::new(greeter));
    HelloServiceStub::new(Channel::in_process(server).unwrap())
}

fn greeting(name: &str) -> HelloRequest {
    HelloRequest {
        greeting: name.to_owned(),
    }
}

#[tokio::test]
async fn one_message_each_way() -> Result<(), Status> {
    let stub = serve(Greeter::default());
    // snippet: unary
    let response = stub.say_hello(greeting("Ada")).await?;
    assert_eq!(response.reply, "Hello, Ada!");
    // end
    Ok(())
}

#[tokio::test]
async fn a_stream_back() -> Result<(), Status> {
    let stub = serve(Greeter::default());
    let mut count = 0;
    // snippet: server-streaming
    let mut replies = stub.lots_of_replies(greeting("Ada")).start();
    while let Some(response) = replies.next().await? {
        println!("{}", response.reply);
        // end
        count += 1;
        // snippet: server-streaming
    }
    // end
    assert_eq!(count, 3);
    Ok(())
}

#[tokio::test]
async fn a_stream_out() -> Result<(), Status> {
    let stub = serve(Greeter::default());
    // snippet: client-streaming
    let mut call = stub.lots_of_greetings().start();
    for name in ["Ada", "Grace"] {
        call.send(greeting(name)).await?;
    }
    let response = call.finish().await?;
    assert_eq!(response.reply, "Hello, Ada, Grace!");
    // end
    Ok(())
}

#[tokio::test]
async fn both_in_turns() -> Result<(), Status> {
    let stub = serve(Greeter::default());
    // snippet: bidi-turns
    let (mut requests, mut replies) = stub.bidi_hello().start();
    for name in ["Ada", "Grace"] {
        requests.send(greeting(name)).await?;
        let response = replies.next().await?;
        assert_eq!(response.unwrap().reply, format!("Hello, {name}!"));
    }
    requests.finish();
    assert_eq!(replies.next().await?, None);
    // end
    Ok(())
}

#[tokio::test]
async fn both_at_once() -> Result<(), Box<dyn std::error::Error>> {
    let stub = serve(Greeter::default());
    let mut count = 0;
    // snippet: bidi-at-once
    let (mut requests, mut replies) = stub.bidi_hello().start();
    let sending = tokio::spawn(async move {
        for name in ["Ada", "Grace", "Barbara"] {
            requests.send(greeting(name)).await?;
        }
        requests.finish();
        Ok::<_, Status>(())
    });
    while let Some(response) = replies.next().await? {
        println!("{}", response.reply);
        // end
        count += 1;
        // snippet: bidi-at-once
    }
    sending.await??;
    // end
    assert_eq!(count, 3);
    Ok(())
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_not_complete() {
    let greeter = Greeter::default();
    let has_all = Arc::clone(&greeter.has_all);
    let stub = serve(greeter);
    // snippet: unfinished
    let mut call = stub.lots_of_greetings().start();
    call.send(greeting("Ada")).await.unwrap();
    drop(call); // the handler is dropped where it waits for the next message
    // end
    // The call after it, on the same connection, has its answer.
    stub.say_hello(greeting("Ada")).await.unwrap();
    assert!(!has_all.load(Ordering::SeqCst));

    let (requests, mut replies) = stub.bidi_hello().start();
    drop(requests);
    let status = replies.next().await.unwrap_err();
    assert_eq!(status.code(), Code::Cancelled);
    output("unfinished", &status.to_string());
}

/// Takes two greetings and no more.
struct Impatient;

impl HelloServiceServicer for Impatient {
    async fn lots_of_greetings(
        &self,
        requests: &mut Receiver<HelloRequest>,
        _context: &mut Context,
    ) -> Result<HelloResponse, Status> {
        requests.next().await?;
        requests.next().await?;
        Ok(HelloResponse {
            reply: "enough".to_owned(),
        })
    }
}

#[tokio::test]
async fn a_server_may_answer_early() -> Result<(), Status> {
    let server = Server::builder().add_service(HelloServiceServer::new(Impatient));
    let stub = HelloServiceStub::new(Channel::in_process(server).unwrap());
    // snippet: early
    let mut call = stub.lots_of_greetings().start();
    for number in 0..1_000_000 {
        if call.send(greeting(&number.to_string())).await.is_err() {
            break; // the server has answered, or the call has failed
        }
    }
    let response = call.finish().await?; // which of the two, and the answer
    assert_eq!(response.reply, "enough");
    // end
    Ok(())
}

#[test]
fn threads_wait() -> Result<(), Status> {
    let stub = serve(Greeter::default());
    // snippet: blocking
    let response = stub.say_hello(greeting("Ada")).wait()?;
    for response in stub.lots_of_replies(greeting("Ada")).wait() {
        println!("{}", response?.reply);
    }
    let mut call = stub.lots_of_greetings().wait();
    call.send(greeting("Ada"))?;
    let sum = call.finish()?;
    let (mut requests, mut replies) = stub.bidi_hello().wait();
    requests.send(greeting("Ada"))?;
    requests.finish();
    let first = replies.next();
    // end
    assert_eq!(
        (response.reply.as_str(), sum.reply.as_str()),
        ("Hello, Ada!", "Hello, Ada!")
    );
    assert_eq!(first.unwrap()?.reply, "Hello, Ada!");
    Ok(())
}
