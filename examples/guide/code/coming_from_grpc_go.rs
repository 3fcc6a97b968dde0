//! What `coming-from-grpc-go.md` has of this project's side.

use std::time::Duration;

use grpc_runtime::{
    Channel, ChannelCredentials, Code, Context, Metadata, MethodConfig, Next, Outcome,
    OutgoingCall, RetryPolicy, RoundRobin, Sender, Server, ServerInterceptor, ServiceConfig,
    Status,
};

use crate::example::{
    HelloRequest, HelloResponse, HelloServiceServer, HelloServiceServicer, HelloServiceStub,
};

type Anything = Result<(), Box<dyn std::error::Error>>;

// snippet: servicer
struct Greeter {
    other: Option<HelloServiceStub>,
}

impl HelloServiceServicer for Greeter {
    async fn say_hello(
        &self,
        request: HelloRequest,
        context: &mut Context,
    ) -> Result<HelloResponse, Status> {
        if request.greeting.is_empty() {
            return Err(Status::invalid_argument("whom shall I greet?"));
        }
        context.set_initial_metadata(Metadata::from_pairs([("x-by", "greeter")])?)?;
        if let Some(other) = &self.other {
            // The deadline and the cancellation of this call hold for that one.
            return other.say_hello(request).inherit(context).await;
        }
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

// snippet: interceptors
struct Timed;

impl ServerInterceptor for Timed {
    async fn intercept(&self, context: &mut Context, next: Next<'_>) -> Outcome {
        let began = std::time::Instant::now();
        let path = context.method().path();
        let outcome = next.run(context).await;
        println!("{path} took {:?}", began.elapsed());
        outcome
    }
}

fn named(channel: &Channel) -> Channel {
    channel.with_interceptor(|call: &mut OutgoingCall| {
        call.metadata_mut().append("x-program", "mine")?;
        Ok(())
    })
}
// end

#[tokio::test]
async fn a_call_is_made_as_in_go() -> Anything {
    // snippet: server
    let server = Server::builder()
        .add_service(HelloServiceServer::new(Greeter { other: None }))
        .interceptor(Timed)
        .permit_keepalive_time(Duration::from_secs(60))
        .max_connection_age(Duration::from_secs(3600))
        .listen("127.0.0.1:0")
        .start()
        .await?;
    // end
    let address = server.addresses()[0].clone();

    // snippet: channel
    let channel = Channel::builder(address)?
        .idle_timeout(Duration::from_secs(30 * 60)) // As WithIdleTimeout has it by default.
        .build(ChannelCredentials::insecure())?;
    let stub = HelloServiceStub::new(named(&channel));
    let call = stub
        .say_hello(greeting("you"))
        .timeout(Duration::from_secs(1))
        .metadata("x-id", "7")
        .wait_for_ready();
    match call.response().await {
        Ok(response) => println!("{} {:?}", response.message.reply, response.initial_metadata),
        Err(status) => println!("{:?}: {}", status.code(), status.message()),
    }

    let mut replies = stub.lots_of_replies(greeting("you")).start();
    while let Some(reply) = replies.next().await? {
        println!("{}", reply.reply);
    }
    // end
    let response = stub.say_hello(greeting("you")).response().await?;
    assert_eq!(response.initial_metadata.get("x-by"), Some("greeter"));

    let other = Greeter { other: Some(stub) };
    // snippet: in-process
    let server = Server::builder().add_service(HelloServiceServer::new(other));
    let stub = HelloServiceStub::new(Channel::in_process(server)?);
    let reply = stub.say_hello(greeting("you")).await?;
    assert_eq!(reply.reply, "Hello, you!");
    // end
    let status = stub.say_hello(greeting("")).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    Ok(())
}

#[tokio::test]
async fn a_service_config_is_typed() -> Anything {
    // snippet: service-config
    let retry = RetryPolicy::new([Code::Unavailable])
        .max_attempts(4)
        .backoff(Duration::from_millis(100), 2.0, Duration::from_secs(1));
    let config = ServiceConfig::builder()
        .balance(RoundRobin::new())
        .service("example.HelloService", MethodConfig::new().retry(retry))
        .build()?;
    let channel = Channel::builder("dns:///shop.internal:50051")?
        .default_service_config(config)
        .build(ChannelCredentials::insecure())?;
    // end
    drop(channel);
    Ok(())
}
