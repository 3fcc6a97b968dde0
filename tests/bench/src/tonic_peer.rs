//! tonic's server and client of the hello example, with tonic's defaults.

mod generated {
    include!(concat!(env!("OUT_DIR"), "/tonic/example.rs"));
}

use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status};

use self::generated::hello_service_client::HelloServiceClient;
use self::generated::hello_service_server::{HelloService, HelloServiceServer};
use self::generated::{HelloRequest, HelloResponse};
use crate::{Error, GREETING};

struct Greeter;

#[tonic::async_trait]
impl HelloService for Greeter {
    async fn say_hello(
        &self,
        request: Request<HelloRequest>,
    ) -> Result<Response<HelloResponse>, Status> {
        let reply = format!("Hello, {}!", request.into_inner().greeting);
        Ok(Response::new(HelloResponse { reply }))
    }
}

/// Serves until the process ends; `ready` hears the address.
pub async fn serve(ready: impl FnOnce(&str)) -> Result<(), Error> {
    // `Server` sets TCP_NODELAY only where it binds the address itself.
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse()?)?.with_nodelay(Some(true));
    ready(&incoming.local_addr()?.to_string());
    Server::builder()
        .add_service(HelloServiceServer::new(Greeter))
        .serve_with_incoming(incoming)
        .await?;
    Ok(())
}

/// A client over one channel; clones share it.
#[derive(Clone, Debug)]
pub struct Client(HelloServiceClient<Channel>);

impl Client {
    pub fn new(address: &str) -> Result<Self, Error> {
        let endpoint = Endpoint::try_from(format!("http://{address}"))?;
        Ok(Self(HelloServiceClient::new(endpoint.connect_lazy())))
    }

    /// One call; gives back the reply.
    pub async fn call(&self) -> Result<String, Error> {
        let request = HelloRequest {
            greeting: GREETING.to_owned(),
        };
        Ok(self.0.clone().say_hello(request).await?.into_inner().reply)
    }
}
