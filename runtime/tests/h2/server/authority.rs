//! Endpoints with an authority of their own: what `:authority` their servers see.

use std::future::pending;

use grpc_runtime::{
    Channel, ChannelBuilder, ChannelCredentials, Code, Endpoint, Resolution, Resolver, RoundRobin,
    Target, Updates,
};
use tokio::net::TcpListener;

use super::{Call, Connection};
use crate::peer::within;
use crate::support::{Echo, EchoStub};

struct Listed(Vec<Endpoint>);

impl Resolver for Listed {
    fn scheme(&self) -> &'static str {
        "listed"
    }

    async fn resolve(&self, _target: &Target, mut updates: Updates) {
        let _ = updates.send(Resolution::new(self.0.clone())).await;
        pending::<()>().await;
    }
}

fn builder(endpoints: impl IntoIterator<Item = Endpoint>) -> ChannelBuilder {
    let listed = Listed(endpoints.into_iter().collect());
    Channel::builder("listed:///shop").unwrap().resolver(listed)
}

fn stub(builder: ChannelBuilder) -> EchoStub {
    EchoStub(builder.build(ChannelCredentials::insecure()).unwrap())
}

async fn listener() -> (TcpListener, Endpoint) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, Endpoint::new(address))
}

async fn accept(listener: &TcpListener) -> Connection {
    let socket = within(listener.accept()).await.unwrap().0;
    Connection::start(within(h2::server::handshake(socket)).await.unwrap())
}

fn authority(call: &Call) -> String {
    call.head.uri.authority().unwrap().to_string()
}

#[tokio::test]
async fn each_endpoint_sees_its_own_and_others_the_channels() {
    let (first, a) = listener().await;
    let (second, b) = listener().await;
    let stub = stub(builder([a.authority("a.shop:1"), b]).balance(RoundRobin::new()));
    let call = || stub.unary(Echo::text("hi")).wait_for_ready().response();
    let _first_call = call();
    let (mut first, mut second) = tokio::join!(accept(&first), accept(&second));
    // Both are ready once a call has come to each.
    let seen = within(async {
        let (mut at_first, mut at_second) = (None, None);
        let mut calls = Vec::new();
        while at_first.is_none() || at_second.is_none() {
            calls.push(call());
            tokio::select! {
                call = first.call() => at_first = Some(authority(&call)),
                call = second.call() => at_second = Some(authority(&call)),
            }
        }
        (at_first.unwrap(), at_second.unwrap())
    });
    assert_eq!(seen.await, ("a.shop:1".to_owned(), "shop".to_owned()));
}

#[tokio::test]
async fn of_one_connection_to_several_endpoints_that_of_the_one_it_leads_to_counts() {
    let (gone, a) = listener().await;
    drop(gone);
    let (there, b) = listener().await;
    let stub = stub(builder([a.authority("a.shop"), b.authority("b.shop")]));
    let _call = stub.unary(Echo::text("hi")).response();
    assert_eq!(authority(&accept(&there).await.call().await), "b.shop");
}

#[tokio::test]
async fn the_programs_own_word_goes_first() {
    let (there, a) = listener().await;
    let stub = stub(builder([a.authority("a.shop")]).authority("mine:8"));
    let _call = stub.unary(Echo::text("hi")).response();
    assert_eq!(authority(&accept(&there).await.call().await), "mine:8");
}

#[tokio::test]
async fn one_that_cannot_be_an_authority_fails_the_attempt_and_says_so() {
    let (_there, a) = listener().await;
    let address = a.addresses()[0].to_string();
    let stub = stub(builder([a.authority("a shop")]));
    let status = within(stub.unary(Echo::text("hi")).response())
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    let text = format!(
        "connect to {address}: the resolver gave the endpoint the authority 'a shop', which is \
         not valid: it has a character that is not allowed in authorities"
    );
    assert!(status.message().ends_with(&text), "{status}");
}
