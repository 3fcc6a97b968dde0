//! A client of all four kinds of call: `hello_client [TARGET]`. Default target:
//! `localhost:50051`.

use std::time::Duration;

use grpc_runtime::Channel;

grpc_runtime::include_proto!("example");

const NAMES: [&str; 3] = ["Ada", "Grace", "Barbara"];

fn greeting(name: &str) -> HelloRequest {
    HelloRequest {
        greeting: name.to_owned(),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let target = std::env::args().nth(1);
    let channel = Channel::insecure(target.as_deref().unwrap_or("localhost:50051"))?;
    let stub = HelloServiceStub::new(channel);

    // One message each way. No call should be without a deadline.
    let response = stub
        .say_hello(greeting("World"))
        .timeout(Duration::from_secs(10))
        .await?;
    println!("SayHello: {}", response.reply);

    // A stream back: `None` is its end in order, a failure is an error.
    let mut replies = stub
        .lots_of_replies(greeting("World"))
        .timeout(Duration::from_secs(10))
        .start();
    while let Some(response) = replies.next().await? {
        println!("LotsOfReplies: {}", response.reply);
    }

    // A stream out: `finish` ends it and waits for the answer.
    let mut call = stub
        .lots_of_greetings()
        .timeout(Duration::from_secs(10))
        .start();
    for name in NAMES {
        call.send(greeting(name)).await?;
    }
    println!("LotsOfGreetings: {}", call.finish().await?.reply);

    // Both: the halves are independent, and here they take turns.
    let (mut requests, mut replies) = stub.bidi_hello().timeout(Duration::from_secs(10)).start();
    for name in NAMES {
        requests.send(greeting(name)).await?;
        if let Some(response) = replies.next().await? {
            println!("BidiHello: {}", response.reply);
        }
    }
    requests.finish();
    while let Some(response) = replies.next().await? {
        println!("BidiHello: {}", response.reply);
    }
    Ok(())
}
