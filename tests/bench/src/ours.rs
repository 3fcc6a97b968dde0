//! This repository's server and client of the hello example.

mod generated {
    grpc_runtime::include_proto!("example");
}

use grpc_runtime::{Channel, Context, Server, Status};

use self::generated::{
    HelloRequest, HelloResponse, HelloServiceServer, HelloServiceServicer, HelloServiceStub,
};
use crate::{Error, GREETING};

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

/// Serves until the process ends; `ready` hears the address.
pub async fn serve(ready: impl FnOnce(&str)) -> Result<(), Error> {
    let server = Server::builder()
        .add_service(HelloServiceServer::new(Greeter))
        .listen("127.0.0.1:0")
        .start()
        .await?;
    ready(&server.addresses()[0]);
    server.wait().await;
    Ok(())
}

/// A client over one channel; clones share it.
#[derive(Clone, Debug)]
pub struct Client(HelloServiceStub);

impl Client {
    pub fn new(address: &str) -> Result<Self, Error> {
        Ok(Self(HelloServiceStub::new(Channel::insecure(address)?)))
    }

    /// One call; gives back the reply.
    pub async fn call(&self) -> Result<String, Error> {
        let request = HelloRequest {
            greeting: GREETING.to_owned(),
        };
        Ok(self.0.say_hello(request).await?.reply)
    }
}
