//! The four kinds of call.

use tokio::task::JoinSet;

use crate::client::{BOUND, Client, Failure, equal, greeting};

pub(super) async fn unary(client: &Client) -> Result<(), Failure> {
    let response = client
        .stub
        .say_hello(greeting("Zoë"))
        .timeout(BOUND)
        .await?;
    equal("the reply", response.reply.as_str(), "Hello, Zoë!")
}

pub(super) async fn server_streaming(client: &Client) -> Result<(), Failure> {
    let call = client.stub.lots_of_replies(greeting("you"));
    let mut replies = call.timeout(BOUND).start();
    let mut received = Vec::new();
    while let Some(response) = replies.next().await? {
        received.push(response.reply);
    }
    let expected = [
        "Hello, you!",
        "Bonjour, you!",
        "Hallo, you!",
        "Hola, you!",
        "Ciao, you!",
    ];
    equal("the stream", received.as_slice(), expected.as_slice())
}

pub(super) async fn client_streaming(client: &Client) -> Result<(), Failure> {
    let mut call = client.stub.lots_of_greetings().timeout(BOUND).start();
    for name in ["Ada", "Grace", "Barbara"] {
        call.send(greeting(name)).await?;
    }
    let response = call.finish().await?;
    equal(
        "the reply",
        response.reply.as_str(),
        "Hello, Ada, Grace, Barbara!",
    )
}

/// Each reply is awaited before the next greeting goes out.
pub(super) async fn bidi_streaming(client: &Client) -> Result<(), Failure> {
    let (mut requests, mut replies) = client.stub.bidi_hello().timeout(BOUND).start();
    for n in 0..50 {
        requests.send(greeting(&n.to_string())).await?;
        let reply = replies.next().await?.map(|response| response.reply);
        equal("the reply", &reply, &Some(format!("Hello, {n}!")))?;
    }
    requests.finish();
    equal("what follows the last reply", &replies.next().await?, &None)
}

pub(super) async fn bidi_server_ends_first(client: &Client) -> Result<(), Failure> {
    let call = client.stub.bidi_hello().metadata("x-do", "enough");
    let (mut requests, mut replies) = call.timeout(BOUND).start();
    requests.send(greeting("you")).await?;
    let reply = replies.next().await?.map(|response| response.reply);
    equal("the reply", &reply, &Some("Hello, you!".to_owned()))?;
    equal("what follows the reply", &replies.next().await?, &None)
}

/// An empty greeting is a message of no bytes at all.
pub(super) async fn empty_messages(client: &Client) -> Result<(), Failure> {
    let response = client.stub.say_hello(greeting("")).timeout(BOUND).await?;
    equal("the reply", response.reply.as_str(), "Hello, !")?;
    let call = client.stub.say_hello(greeting("0")).timeout(BOUND);
    let response = call.metadata("x-do", "size").await?;
    equal("the empty reply", response.reply.as_str(), "")?;
    let call = client.stub.lots_of_greetings().timeout(BOUND).start();
    let response = call.finish().await?;
    equal(
        "the reply to no greetings",
        response.reply.as_str(),
        "Hello, !",
    )
}

/// More than a server takes at once on one connection, as a rule.
pub(super) async fn calls_at_once(client: &Client) -> Result<(), Failure> {
    let mut calls = JoinSet::new();
    for n in 0..500 {
        let call = client.stub.say_hello(greeting(&n.to_string()));
        calls.spawn(async move { (n, call.timeout(BOUND).await) });
    }
    while let Some(done) = calls.join_next().await {
        let (n, response) = done?;
        equal("the reply", &response?.reply, &format!("Hello, {n}!"))?;
    }
    Ok(())
}
