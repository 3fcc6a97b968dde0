//! Keys and values beside the messages, both ways.

use grpc_runtime::{
    Channel, Code, Context, Metadata, MetadataValue, OutgoingCall, Sender, Server, Status,
};

use crate::example::{
    HelloRequest, HelloResponse, HelloServiceServer, HelloServiceServicer, HelloServiceStub,
};
use crate::harness::output;

struct Greeter;

impl HelloServiceServicer for Greeter {
    // snippet: serve
    async fn say_hello(
        &self,
        request: HelloRequest,
        context: &mut Context,
    ) -> Result<HelloResponse, Status> {
        // What the caller sent; keys are compared without regard to case.
        let id = context
            .metadata()
            .get("x-request-id")
            .unwrap_or("none")
            .to_owned();
        let token: Option<&[u8]> = context.metadata().get_bin("x-token-bin");
        println!(
            "request {id}, {} bytes of token",
            token.map_or(0, <[u8]>::len)
        );

        // Ahead of the message, and behind it.
        context.set_initial_metadata(Metadata::from_pairs([("x-server", "oslo-1")])?)?;
        context.trailing_metadata_mut().append("x-cost", "7")?;
        Ok(HelloResponse {
            reply: format!("Hello, {}!", request.greeting),
        })
    }
    // end

    // snippet: early
    async fn lots_of_replies(
        &self,
        _request: HelloRequest,
        replies: &mut Sender<HelloResponse>,
        context: &mut Context,
    ) -> Result<(), Status> {
        // Now, though the first message may be far off: the client knows that it is heard.
        context.send_initial_metadata(Metadata::from_pairs([("x-server", "oslo-1")])?)?;
        // …
        replies
            .send(HelloResponse {
                reply: "news".to_owned(),
            })
            .await?;
        context.trailing_metadata_mut().append("x-cost", "9")?;
        Ok(())
    }
    // end
}

fn channel() -> Channel {
    let server = Server::builder().add_service(HelloServiceServer::new(Greeter));
    Channel::in_process(server).unwrap()
}

fn greeting(name: &str) -> HelloRequest {
    HelloRequest {
        greeting: name.to_owned(),
    }
}

#[tokio::test]
async fn metadata_goes_both_ways() -> Result<(), Status> {
    let stub = HelloServiceStub::new(channel());
    // snippet: call
    let response = stub
        .say_hello(greeting("Ada"))
        .metadata("x-request-id", "7")
        .metadata_bin("x-token-bin", &[0xca, 0xfe])
        .response()
        .await?;
    println!("{}", response.message.reply);
    assert_eq!(response.initial_metadata.get("x-server"), Some("oslo-1"));
    assert_eq!(response.trailing_metadata.get("x-cost"), Some("7"));
    // end
    Ok(())
}

#[tokio::test]
async fn a_streams_metadata() -> Result<(), Status> {
    let stub = HelloServiceStub::new(channel());
    // snippet: stream
    let mut replies = stub.lots_of_replies(greeting("Ada")).start();
    let initial = replies.initial_metadata().await?;
    assert_eq!(initial.get("x-server"), Some("oslo-1"));
    while let Some(response) = replies.next().await? {
        println!("{}", response.reply);
    }
    // After the end.
    let cost = replies
        .trailing_metadata()
        .and_then(|trailing| trailing.get("x-cost"));
    assert_eq!(cost, Some("9"));
    // end
    Ok(())
}

#[tokio::test]
async fn one_value_for_all_calls() -> Result<(), Status> {
    let channel = channel();
    // snippet: all-calls
    let channel = channel.with_interceptor(|call: &mut OutgoingCall| {
        call.metadata_mut().append("x-tenant", "acme")?;
        Ok(())
    });
    let stub = HelloServiceStub::new(channel);
    // end
    stub.say_hello(greeting("Ada")).await?;
    Ok(())
}

#[test]
fn what_metadata_can_do() -> Result<(), Box<dyn std::error::Error>> {
    let received = Metadata::from_pairs([("x-trace", "abc"), ("x-other", "1")])?;
    // snippet: values
    let mut metadata = Metadata::new();
    metadata.append("x-tag", "red")?;
    metadata.append("x-tag", "blue")?; // a second value of the key
    metadata.insert("x-id", "7")?; // in place of all values that it had
    metadata.append_from(&received, "x-trace"); // passes on what came, whatever it is
    for value in metadata.get_all("x-tag") {
        println!("{}", value.as_str().unwrap_or("not text"));
    }
    for (key, value) in &metadata {
        match value {
            MetadataValue::Text(text) => println!("{key}: {text}"),
            MetadataValue::Binary(bytes) => println!("{key}: {} bytes", bytes.len()),
        }
    }
    // end
    assert_eq!(metadata.len(), 4);
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_sent_fails_the_call() {
    let stub = HelloServiceStub::new(channel());
    let call = stub.say_hello(greeting("Ada")).metadata("x-name", "Zoë");
    let status = call.await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    let mut texts = vec![status.to_string()];
    let call = stub
        .say_hello(greeting("Ada"))
        .metadata("grpc-timeout", "1S");
    texts.push(call.await.unwrap_err().to_string());
    let call = stub
        .say_hello(greeting("Ada"))
        .metadata_bin("x-token", &[1]);
    texts.push(call.await.unwrap_err().to_string());
    output("refused", &texts.join("\n"));

    // The server's limit is known once it has spoken.
    stub.say_hello(greeting("Ada")).await.unwrap();
    let call = stub
        .say_hello(greeting("Ada"))
        .metadata("x-large", &"x".repeat(20_000));
    let status = call.await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    output("too-large", &status.to_string());
}
