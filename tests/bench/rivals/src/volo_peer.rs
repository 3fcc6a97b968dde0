//! Volo's gRPC server and client, with its defaults, but for the client's timeout of a
//! second. Streams are iterators and mapped streams.

mod generated {
    include!(concat!(env!("OUT_DIR"), "/volo_gen.rs"));
}

use std::net::SocketAddr;
use std::pin::Pin;

use bench::Error;
use bench::handler::{NAME, check, greeting, prepare};
use bench::load::Task;
use bench::peer::{self, Peer};
use bench::security::Security;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt};
use volo::net::Address;
use volo::net::incoming::DefaultIncoming;
use volo_grpc::client::CallOpt;
use volo_grpc::server::{Server, ServiceBuilder};
use volo_grpc::{BoxStream, RecvStream, Response, Status};

use self::generated::volo_gen::bench::{
    Bench, BenchClient, BenchClientBuilder, BenchServer, Count, Payload, Reply, Request,
};

#[derive(Debug)]
pub struct Volo;

struct Servicer;

type Greeted = Result<Response<Reply>, Status>;
type Replies = BoxStream<'static, Result<Reply, Status>>;

fn reply(name: &str) -> Reply {
    Reply {
        text: greeting(name).into(),
    }
}

async fn greet(task: Task, request: volo_grpc::Request<Request>) -> Greeted {
    prepare(task).await;
    Ok(Response::new(reply(&request.get_ref().name)))
}

impl Bench for Servicer {
    async fn hello(&self, request: volo_grpc::Request<Request>) -> Greeted {
        Ok(Response::new(reply(&request.get_ref().name)))
    }

    async fn r#yield(&self, request: volo_grpc::Request<Request>) -> Greeted {
        greet(Task::Yield, request).await
    }

    async fn sleep(&self, request: volo_grpc::Request<Request>) -> Greeted {
        greet(Task::Sleep, request).await
    }

    async fn spin(&self, request: volo_grpc::Request<Request>) -> Greeted {
        greet(Task::Spin, request).await
    }

    async fn echo(
        &self,
        request: volo_grpc::Request<Payload>,
    ) -> Result<Response<Payload>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    async fn pull(&self, request: volo_grpc::Request<Count>) -> Result<Response<Replies>, Status> {
        let replies = (0..request.into_inner().value).map(|_| Ok(reply(NAME)));
        Ok(Response::new(Box::pin(tokio_stream::iter(replies))))
    }

    async fn push(
        &self,
        request: volo_grpc::Request<RecvStream<Request>>,
    ) -> Result<Response<Count>, Status> {
        let mut requests = request.into_inner();
        let mut value = 0;
        while requests.try_next().await?.is_some() {
            value += 1;
        }
        Ok(Response::new(Count { value }))
    }

    async fn chat(
        &self,
        request: volo_grpc::Request<RecvStream<Request>>,
    ) -> Result<Response<Replies>, Status> {
        let replies = request
            .into_inner()
            .map(|request| Ok(reply(&request?.name)));
        Ok(Response::new(Box::pin(replies)))
    }
}

impl Peer for Volo {
    type Client = Client;

    async fn serve(security: Security, ready: impl FnOnce(&str)) -> Result<(), Error> {
        plain(security)?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        ready(&listener.local_addr()?.to_string());
        let service = ServiceBuilder::new(BenchServer::new(Servicer)).build();
        Server::new()
            .add_service(service)
            .run(DefaultIncoming::from(listener))
            .await
    }
}

/// TLS is between those that the benchmark itself brings.
fn plain(security: Security) -> Result<(), Error> {
    match security {
        Security::Plain => Ok(()),
        Security::Tls => Err("volo-grpc is measured without TLS".into()),
    }
}

#[derive(Clone)]
pub struct Client(BenchClient);

type IncomingReplies = Pin<Box<dyn Stream<Item = Result<Reply, Status>> + Send>>;

fn request() -> Request {
    Request { name: NAME.into() }
}

fn requests(count: usize) -> impl Stream<Item = Request> + Send + 'static {
    tokio_stream::iter((0..count).map(|_| request()))
}

async fn drain(
    mut replies: impl Stream<Item = Result<Reply, Status>> + Unpin,
) -> Result<usize, Error> {
    let mut came = 0;
    while replies.try_next().await?.is_some() {
        came += 1;
    }
    Ok(came)
}

impl peer::Client for Client {
    type Chat = (mpsc::Sender<Request>, IncomingReplies);

    type Target = SocketAddr;

    fn target(address: &str, security: Security) -> Result<Self::Target, Error> {
        plain(security)?;
        Ok(address.parse()?)
    }

    async fn connect(target: &Self::Target) -> Result<Self, Error> {
        let client = BenchClientBuilder::new("bench")
            .address(Address::from(*target))
            .rpc_timeout(None)
            .build();
        Ok(Self(client))
    }

    async fn greet(&self, task: Task) -> Result<String, Error> {
        let response = match task {
            Task::Yield => self.0.r#yield(request()).await?,
            Task::Sleep => self.0.sleep(request()).await?,
            Task::Spin => self.0.spin(request()).await?,
            _ => self.0.hello(request()).await?,
        };
        Ok(response.into_inner().text.to_string())
    }

    async fn echo(&self, size: usize) -> Result<usize, Error> {
        let payload = Payload {
            data: vec![b'b'; size].into(),
        };
        Ok(self.0.echo(payload).await?.into_inner().data.len())
    }

    async fn pull(&self, count: usize) -> Result<usize, Error> {
        let count = Count {
            value: count as u64,
        };
        drain(self.0.pull(count).await?.into_inner()).await
    }

    async fn push(&self, count: usize) -> Result<usize, Error> {
        let response = self.0.push(requests(count)).await?;
        Ok(response.into_inner().value as usize)
    }

    async fn chat(&self, count: usize) -> Result<usize, Error> {
        drain(self.0.chat(requests(count)).await?.into_inner()).await
    }

    async fn open(&self) -> Result<Self::Chat, Error> {
        let (sender, receiver) = mpsc::channel(1);
        sender.send(request()).await?;
        // A client that is used once lends its stream nothing, so the stream may be kept.
        let once = self.0.clone().with_callopt(CallOpt::new());
        let response = once.chat(ReceiverStream::new(receiver)).await?;
        let mut replies: IncomingReplies = Box::pin(response.into_inner());
        let reply = replies.try_next().await?.ok_or("the stream ended")?;
        check(&reply.text)?;
        Ok((sender, replies))
    }

    async fn exchange((requests, replies): &mut Self::Chat) -> Result<String, Error> {
        requests.send(request()).await?;
        let reply = replies.try_next().await?.ok_or("the stream ended")?;
        Ok(reply.text.to_string())
    }
}
