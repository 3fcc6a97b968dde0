//! tonic's server and client, with tonic's defaults. Streams take the cheapest
//! form that tonic has: an iterator or a mapped stream, rather than the channel
//! and the task that many programs put between.

mod generated {
    include!(concat!(env!("OUT_DIR"), "/tonic/bench.rs"));
}

use std::ops::Range;

use tokio::sync::mpsc;
use tokio_stream::adapters::Map;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Iter, StreamExt};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{
    Certificate, Channel, ClientTlsConfig, Endpoint, Identity, Server, ServerTlsConfig,
};
use tonic::{Response, Status, Streaming};

use self::generated::bench_client::BenchClient;
use self::generated::bench_server::{Bench, BenchServer};
use self::generated::{Count, Payload, Reply, Request};
use super::Peer;
use crate::Error;
use crate::handler::{NAME, check, greeting, prepare};
use crate::load::Task;
use crate::security::{self, SERVER_NAME, Security};

#[derive(Debug)]
pub struct Tonic;

struct Servicer;

type Greeted = Result<Response<Reply>, Status>;

async fn greet(task: Task, request: tonic::Request<Request>) -> Greeted {
    prepare(task).await;
    Ok(Response::new(reply(request.get_ref())))
}

fn reply(request: &Request) -> Reply {
    Reply {
        text: greeting(&request.name),
    }
}

#[tonic::async_trait]
impl Bench for Servicer {
    type PullStream = Map<Iter<Range<u64>>, fn(u64) -> Result<Reply, Status>>;
    type ChatStream = Map<Streaming<Request>, fn(Result<Request, Status>) -> Result<Reply, Status>>;

    async fn hello(&self, request: tonic::Request<Request>) -> Greeted {
        Ok(Response::new(reply(request.get_ref())))
    }

    async fn r#yield(&self, request: tonic::Request<Request>) -> Greeted {
        greet(Task::Yield, request).await
    }

    async fn sleep(&self, request: tonic::Request<Request>) -> Greeted {
        greet(Task::Sleep, request).await
    }

    async fn spin(&self, request: tonic::Request<Request>) -> Greeted {
        greet(Task::Spin, request).await
    }

    async fn echo(&self, request: tonic::Request<Payload>) -> Result<Response<Payload>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    async fn pull(
        &self,
        request: tonic::Request<Count>,
    ) -> Result<Response<Self::PullStream>, Status> {
        let numbers = tokio_stream::iter(0..request.into_inner().value);
        let make: fn(u64) -> _ = |_| {
            let text = greeting(NAME);
            Ok(Reply { text })
        };
        Ok(Response::new(numbers.map(make)))
    }

    async fn push(
        &self,
        request: tonic::Request<Streaming<Request>>,
    ) -> Result<Response<Count>, Status> {
        let mut requests = request.into_inner();
        let mut value = 0;
        while requests.message().await?.is_some() {
            value += 1;
        }
        Ok(Response::new(Count { value }))
    }

    async fn chat(
        &self,
        request: tonic::Request<Streaming<Request>>,
    ) -> Result<Response<Self::ChatStream>, Status> {
        let answer: fn(Result<Request, _>) -> _ = |request| Ok(reply(&request?));
        Ok(Response::new(request.into_inner().map(answer)))
    }
}

impl Peer for Tonic {
    type Client = Client;

    async fn serve(security: Security, ready: impl FnOnce(&str)) -> Result<(), Error> {
        // `Server` sets TCP_NODELAY only where it binds the address itself.
        let incoming = TcpIncoming::bind("127.0.0.1:0".parse()?)?.with_nodelay(Some(true));
        ready(&incoming.local_addr()?.to_string());
        let mut server = Server::builder();
        if security == Security::Tls {
            let identity = security::identity()?;
            let identity = Identity::from_pem(identity.chain, identity.key);
            server = server.tls_config(ServerTlsConfig::new().identity(identity))?;
        }
        server
            .add_service(BenchServer::new(Servicer))
            .serve_with_incoming(incoming)
            .await?;
        Ok(())
    }
}

#[derive(Clone, Debug)]
pub struct Client(BenchClient<Channel>);

fn request() -> Request {
    Request {
        name: NAME.to_owned(),
    }
}

fn requests(count: usize) -> impl tokio_stream::Stream<Item = Request> + Send + 'static {
    tokio_stream::iter((0..count).map(|_| request()))
}

fn endpoint(address: &str, security: Security) -> Result<Endpoint, Error> {
    let scheme = match security {
        Security::Plain => "http",
        Security::Tls => "https",
    };
    let endpoint = Endpoint::try_from(format!("{scheme}://{address}"))?;
    if security == Security::Plain {
        return Ok(endpoint);
    }
    let config = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(security::roots()?))
        .domain_name(SERVER_NAME);
    Ok(endpoint.tls_config(config)?)
}

impl super::Client for Client {
    type Chat = (mpsc::Sender<Request>, Streaming<Reply>);

    type Target = Vec<Endpoint>;

    fn target(addresses: &str, security: Security) -> Result<Vec<Endpoint>, Error> {
        addresses
            .split(',')
            .map(|address| endpoint(address, security))
            .collect()
    }

    async fn connect(target: &Vec<Endpoint>) -> Result<Self, Error> {
        let channel = match &target[..] {
            [endpoint] => endpoint.connect_lazy(),
            several => Channel::balance_list(several.iter().cloned()),
        };
        Ok(Self(BenchClient::new(channel)))
    }

    async fn greet(&self, task: Task) -> Result<String, Error> {
        let mut client = self.0.clone();
        let response = match task {
            Task::Yield => client.r#yield(request()).await?,
            Task::Sleep => client.sleep(request()).await?,
            Task::Spin => client.spin(request()).await?,
            _ => client.hello(request()).await?,
        };
        Ok(response.into_inner().text)
    }

    async fn echo(&self, size: usize) -> Result<usize, Error> {
        let data = vec![b'b'; size];
        let response = self.0.clone().echo(Payload { data }).await?;
        Ok(response.into_inner().data.len())
    }

    async fn pull(&self, count: usize) -> Result<usize, Error> {
        let value = count as u64;
        let mut replies = self.0.clone().pull(Count { value }).await?.into_inner();
        let mut came = 0;
        while replies.message().await?.is_some() {
            came += 1;
        }
        Ok(came)
    }

    async fn push(&self, count: usize) -> Result<usize, Error> {
        let response = self.0.clone().push(requests(count)).await?;
        Ok(response.into_inner().value as usize)
    }

    async fn chat(&self, count: usize) -> Result<usize, Error> {
        let mut replies = self.0.clone().chat(requests(count)).await?.into_inner();
        let mut came = 0;
        while replies.message().await?.is_some() {
            came += 1;
        }
        Ok(came)
    }

    async fn open(&self) -> Result<Self::Chat, Error> {
        let (sender, receiver) = mpsc::channel(1);
        sender.send(request()).await?;
        let response = self.0.clone().chat(ReceiverStream::new(receiver)).await?;
        let mut replies = response.into_inner();
        let reply = replies.message().await?.ok_or("the stream ended")?;
        check(&reply.text)?;
        Ok((sender, replies))
    }

    async fn exchange((requests, replies): &mut Self::Chat) -> Result<String, Error> {
        requests.send(request()).await?;
        Ok(replies.message().await?.ok_or("the stream ended")?.text)
    }
}
