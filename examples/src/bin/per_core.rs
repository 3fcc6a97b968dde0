//! A server on each core: each has a thread, a runtime of one thread, and a socket of its
//! own, all on one port (`SO_REUSEPORT`), over which the system spreads the connections.
//! Calls do not wait for other cores, but a busy connection can use one core only, which it
//! shares with all connections of the same socket. Measure before you choose it: the README
//! of `tests/bench` has figures.
//!
//! `per_core ADDRESS` serves so, and `per_core ADDRESS all` by one server on all cores, as
//! servers usually do. `per_core ADDRESS 3 ends` has three servers, makes some calls and
//! ends.

grpc_runtime::include_proto!("example");

use std::error::Error;
use std::thread;

use grpc_runtime::{Channel, Context, ListenOptions, Server, ServerBuilder, ServerError, Status};
use tokio::runtime::Builder;

struct Greeter;

impl HelloServiceServicer for Greeter {
    async fn say_hello(
        &self,
        request: HelloRequest,
        _context: &mut Context,
    ) -> Result<HelloResponse, Status> {
        Ok(HelloResponse {
            reply: format!("Hello, {}!", request.greeting),
        })
    }
}

fn hello() -> ServerBuilder {
    Server::builder().add_service(HelloServiceServer::new(Greeter))
}

/// One of the servers, from its start on; `address` has the port that all listen on.
fn on_a_thread(address: String) -> thread::JoinHandle<Result<(), ServerError>> {
    thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|source| ServerError::Bind {
            address: address.clone(),
            source,
        })?;
        runtime.block_on(async {
            let options = ListenOptions::new().reuse_port(true);
            let server = hello().listen_with_options(&address, options);
            server.start().await?.wait().await;
            Ok(())
        })
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next();
    let address = address.unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let cores = thread::available_parallelism()?.get();
    let servers = match arguments.next().as_deref() {
        Some("all") => {
            let runtime = Builder::new_multi_thread().enable_all().build()?;
            return runtime.block_on(async {
                let server = hello().listen(&address).start().await?;
                println!("one server on {cores} cores, at {}", server.addresses()[0]);
                server.wait().await;
                Ok(())
            });
        }
        Some(number) => number.parse()?,
        None => cores,
    };
    let ends = arguments.next().is_some();

    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        // The first says which port it is, where the system chooses.
        let options = ListenOptions::new().reuse_port(true);
        let first = hello().listen_with_options(&address, options);
        let first = first.start().await?;
        let address = first.addresses()[0].clone();
        let others: Vec<_> = (1..servers).map(|_| on_a_thread(address.clone())).collect();
        println!("{servers} servers of one core each, at {address}");
        if !ends {
            first.wait().await;
        }

        // Each channel has a connection, and so some server.
        for _ in 0..10 {
            let stub = HelloServiceStub::new(Channel::insecure(&address)?);
            let request = HelloRequest {
                greeting: "World".to_owned(),
            };
            let reply = stub.say_hello(request).await?.reply;
            assert_eq!(reply, "Hello, World!");
        }
        for other in others {
            // A thread whose server could not start has ended; the others serve until the
            // program ends.
            if other.is_finished() {
                other.join().map_err(|_| "a server panicked")??;
            }
        }
        println!("10 calls on 10 connections were answered");
        Ok(())
    })
}
