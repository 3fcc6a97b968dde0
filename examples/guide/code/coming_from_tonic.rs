//! What `coming-from-tonic.md` has of this project's side.

use std::time::Duration;

use grpc_runtime::{
    Channel, ChannelCredentials, Code, Compression, Context, Next, Outcome, OutgoingCall, Receiver,
    Sender, Server, ServerCredentials, ServerInterceptor, Status,
};

use crate::example::{
    HelloRequest, HelloResponse, HelloServiceServer, HelloServiceServicer, HelloServiceStub,
};

type Anything = Result<(), Box<dyn std::error::Error>>;

fn stub() -> HelloServiceStub {
    let server = Server::builder().add_service(HelloServiceServer::new(Greeter));
    HelloServiceStub::new(Channel::in_process(server).unwrap())
}

fn request() -> HelloRequest {
    HelloRequest {
        greeting: "you".to_owned(),
    }
}

// snippet: servicer
struct Greeter;

impl HelloServiceServicer for Greeter {
    async fn say_hello(
        &self,
        request: HelloRequest,
        context: &mut Context,
    ) -> Result<HelloResponse, Status> {
        let _caller = context.metadata().get("x-id");
        Ok(HelloResponse {
            reply: request.greeting,
        })
    }

    async fn lots_of_replies(
        &self,
        _request: HelloRequest,
        replies: &mut Sender<HelloResponse>,
        _context: &mut Context,
    ) -> Result<(), Status> {
        for _ in 0..3 {
            replies.send(HelloResponse::default()).await?;
        }
        Ok(())
    }

    async fn lots_of_greetings(
        &self,
        requests: &mut Receiver<HelloRequest>,
        _context: &mut Context,
    ) -> Result<HelloResponse, Status> {
        let mut reply = String::new();
        while let Some(request) = requests.next().await? {
            reply += &request.greeting;
        }
        Ok(HelloResponse { reply })
    }

    async fn bidi_hello(
        &self,
        requests: &mut Receiver<HelloRequest>,
        replies: &mut Sender<HelloResponse>,
        _context: &mut Context,
    ) -> Result<(), Status> {
        while let Some(request) = requests.next().await? {
            replies
                .send(HelloResponse {
                    reply: request.greeting,
                })
                .await?;
        }
        Ok(())
    }
}
// end

// snippet: keepalive
fn kept() -> Result<Channel, Box<dyn std::error::Error>> {
    let channel = Channel::builder("127.0.0.1:50051")?
        .keepalive_time(Duration::from_secs(30))
        .keepalive_timeout(Duration::from_secs(10))
        .keepalive_without_calls(true);
    Ok(channel.build(ChannelCredentials::insecure())?)
}

async fn serve_with_limits() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::builder()
        .add_service(HelloServiceServer::new(Greeter))
        .permit_keepalive_time(Duration::from_secs(25))
        .permit_keepalive_without_calls(true)
        .max_connection_age(Duration::from_secs(3600))
        .max_connection_age_grace(Duration::from_secs(60));
    Ok(server.serve("[::]:50051").await?)
}
// end

// snippet: tls
fn channel(ca: &str, chain: &str, key: &str) -> Result<Channel, Box<dyn std::error::Error>> {
    let credentials = ChannelCredentials::tls()
        .roots(ca)
        .identity(chain, key)
        .build()?;
    Ok(Channel::new("example.com", credentials)?)
}

async fn serve(chain: &str, key: &str) -> Result<(), Box<dyn std::error::Error>> {
    let credentials = ServerCredentials::tls(chain, key).build()?;
    let server = Server::builder().add_service(HelloServiceServer::new(Greeter));
    Ok(server.serve_with("[::]:443", credentials).await?)
}
// end

// snippet: interceptors
fn named(channel: &Channel) -> HelloServiceStub {
    HelloServiceStub::new(channel.with_interceptor(|call: &mut OutgoingCall| {
        call.metadata_mut().append("x-program", "mine")?;
        Ok(())
    }))
}

struct Authenticate;

impl ServerInterceptor for Authenticate {
    async fn intercept(&self, context: &mut Context, next: Next<'_>) -> Outcome {
        if !context.metadata().contains_key("x-token") {
            return Status::unauthenticated("no token").into();
        }
        next.run(context).await
    }
}
// end

// snippet: compression
fn compressing() -> Result<HelloServiceStub, Box<dyn std::error::Error>> {
    let channel = Channel::builder("127.0.0.1:50051")?.compression(Compression::Gzip);
    Ok(HelloServiceStub::new(
        channel.build(ChannelCredentials::insecure())?,
    ))
}
// end

// snippet: deadline
struct Proxy {
    next: HelloServiceStub,
}

impl HelloServiceServicer for Proxy {
    async fn say_hello(
        &self,
        request: HelloRequest,
        context: &mut Context,
    ) -> Result<HelloResponse, Status> {
        self.next.say_hello(request).inherit(context).await
    }
}
// end

#[tokio::test]
async fn call() -> Anything {
    // snippet: call
    let stub = HelloServiceStub::new(Channel::insecure("127.0.0.1:50051")?);
    // end
    let stub = {
        drop(stub);
        self::stub()
    };
    // snippet: call
    let reply = stub
        .say_hello(HelloRequest {
            greeting: "you".into(),
        })
        .timeout(Duration::from_secs(1))
        .metadata("x-id", "7")
        .await?;
    // end
    assert_eq!(reply.reply, "you");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn call_more() -> Anything {
    let (stub, request) = (stub(), request());
    // snippet: call-more
    let response = stub.say_hello(request.clone()).response().await?;
    println!(
        "{:?} {:?}",
        response.initial_metadata, response.trailing_metadata
    );
    println!("{}", response.message.reply);

    let reply = tokio::task::spawn_blocking(move || stub.say_hello(request).wait()).await??;
    // end
    assert_eq!(reply.reply, "you");
    Ok(())
}

#[tokio::test]
async fn streams() -> Anything {
    let (stub, request) = (stub(), request());
    let greetings = [request.clone(), request.clone()];
    // snippet: streams
    let mut replies = stub.lots_of_replies(request.clone()).start();
    while let Some(reply) = replies.next().await? {
        println!("{}", reply.reply);
    }

    let mut call = stub.lots_of_greetings().start();
    for greeting in greetings {
        call.send(greeting).await?;
    }
    let reply = call.finish().await?;

    let (mut requests, mut replies) = stub.bidi_hello().start();
    requests.send(request).await?;
    let first = replies.next().await?;
    requests.finish();
    // end
    assert_eq!(reply.reply, "youyou");
    assert_eq!(first.unwrap().reply, "you");
    Ok(())
}

#[tokio::test]
async fn server() -> Anything {
    // snippet: server
    let server = Server::builder()
        .add_service(HelloServiceServer::new(Greeter))
        .listen("127.0.0.1:0")
        .start()
        .await?;
    println!("{:?}", server.addresses());
    server.shutdown(Duration::from_secs(5)).await;
    // end
    Ok(())
}

#[tokio::test]
async fn in_process() -> Anything {
    let request = request();
    // snippet: in-process
    let server = Server::builder().add_service(HelloServiceServer::new(Greeter));
    let stub = HelloServiceStub::new(Channel::in_process(server)?);
    assert_eq!(stub.say_hello(request).await?.reply, "you");
    // end
    Ok(())
}

#[tokio::test]
async fn what_the_page_defines_is_what_it_says() -> Anything {
    kept()?;
    let reply = named(&Channel::in_process(
        Server::builder().add_service(HelloServiceServer::new(Greeter)),
    )?);
    assert_eq!(reply.say_hello(request()).await?.reply, "you");
    compressing()?;
    let proxy = HelloServiceServer::new(Proxy { next: stub() });
    let server = Server::builder()
        .add_service(proxy)
        .interceptor(Authenticate);
    let stub = HelloServiceStub::new(Channel::in_process(server)?);
    let status = stub.say_hello(request()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    let call = stub.say_hello(request()).metadata("x-token", "t");
    assert_eq!(call.await?.reply, "you");
    assert!(channel("", "", "").is_err());
    assert!(serve("", "").await.is_err());
    drop(serve_with_limits());
    Ok(())
}
