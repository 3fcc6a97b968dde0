//! tonic's server and client of the hello example, with its defaults.

mod generated {
    include!(concat!(env!("OUT_DIR"), "/tonic/example.rs"));
}

use std::pin::Pin;

use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status, Streaming};

use self::generated::hello_service_client::HelloServiceClient;
use self::generated::hello_service_server::{HelloService, HelloServiceServer};
use self::generated::{HelloRequest, HelloResponse};
use crate::{Error, GREETING};

/// Only the unary method is measured; the others have to exist.
type Unused = Pin<Box<tokio_stream_of::Never>>;

struct Greeter;
