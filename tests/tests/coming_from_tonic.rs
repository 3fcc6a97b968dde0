//! This project's side of `examples/coming-from-tonic.md`, taken out of the page
//! by `build.rs`: it has to compile, and what can run without a server runs.

#![allow(
    missing_docs,
    dead_code,
    unused_variables,
    clippy::pedantic,
    reason = "a page's code"
)]

use std::time::Duration;

use grpc_runtime::{
    Channel, ChannelCredentials, Compression, Context, Next, Outcome, OutgoingCall, Receiver,
    Sender, Server, ServerCredentials, ServerInterceptor, Status,
};

grpc_runtime::include_proto!("example");

type Anything = Result<(), Box<dyn std::error::Error>>;

include!(concat!(env!("OUT_DIR"), "/coming_from_tonic.rs"));

/// Every block of statements, in the page's order, against the page's servicer.
/// The first one names an address where nobody listens.
#[tokio::test(flavor = "multi_thread")]
async fn the_page_runs() {
    let server = Server::builder().add_service(HelloServiceServer::new(Greeter));
    let stub = HelloServiceStub::new(Channel::in_process(server).unwrap());
    let blocks = BLOCKS;
    assert!(blocks > 4, "{blocks} blocks");
    for number in 1..blocks {
        let run = run(number, stub.clone());
        let bounded = tokio::time::timeout(Duration::from_secs(60), run).await;
        bounded.unwrap().unwrap();
    }
}
