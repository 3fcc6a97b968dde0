//! connect-rust's server and client, which speak gRPC here. Handlers read requests
//! where they lie, and streams are iterators and mapped streams, as its guide has them.
//!
//! Its defaults, but for compression: a server would compress what is above a
//! kilobyte, and then do other work than the others.

mod generated {
    include!(concat!(env!("OUT_DIR"), "/connect.rs"));
}

use std::sync::Arc;

use bench::Error;
use bench::handler::{NAME, check, greeting, prepare};
use bench::load::Task;
use bench::peer::{self, Peer};
use bench::security::Security;
use connectrpc::client::{
    BidiStream, ClientConfig, ClientTransport, Http2Connection, SharedHttp2Connection,
};
use connectrpc::{
    CompressionRegistry, ConnectError, InboundStream, Protocol, RequestContext, Response, Router,
    Server, ServiceRequest, ServiceResult, ServiceStream,
};
use tokio::net::TcpListener;
use tokio_stream::StreamExt;

use self::generated::bench::{Bench, BenchClient, Count, Payload, Reply, ReplyView, Request};

/// How many calls may wait for a connection: what its guide advises.
const QUEUE: usize = 1024;

#[derive(Debug)]
pub struct ConnectRust;

struct Servicer;

fn reply(name: &str) -> Reply {
    Reply {
        text: greeting(name),
        ..Default::default()
    }
}

async fn greet(task: Task, request: ServiceRequest<'_, Request>) -> ServiceResult<Reply> {
    prepare(task).await;
    Response::ok(reply(request.name))
}

#[expect(
    refining_impl_trait_internal,
    reason = "the service is called by its own routes alone"
)]
impl Bench for Servicer {
    async fn hello(
        &self,
        _context: RequestContext,
        request: ServiceRequest<'_, Request>,
    ) -> ServiceResult<Reply> {
        Response::ok(reply(request.name))
    }

    async fn r#yield(
        &self,
        _context: RequestContext,
        request: ServiceRequest<'_, Request>,
    ) -> ServiceResult<Reply> {
        greet(Task::Yield, request).await
    }

    async fn sleep(
        &self,
        _context: RequestContext,
        request: ServiceRequest<'_, Request>,
    ) -> ServiceResult<Reply> {
        greet(Task::Sleep, request).await
    }

    async fn spin(
        &self,
        _context: RequestContext,
        request: ServiceRequest<'_, Request>,
    ) -> ServiceResult<Reply> {
        greet(Task::Spin, request).await
    }

    async fn echo(
        &self,
        _context: RequestContext,
        request: ServiceRequest<'_, Payload>,
    ) -> ServiceResult<Payload> {
        Response::ok(request.to_owned_message())
    }

    async fn pull(
        &self,
        _context: RequestContext,
        request: ServiceRequest<'_, Count>,
    ) -> ServiceResult<ServiceStream<Reply>> {
        let replies = (0..request.value).map(|_| Ok(reply(NAME)));
        Ok(Response::stream(tokio_stream::iter(replies)))
    }

    async fn push(
        &self,
        _context: RequestContext,
        mut requests: InboundStream<Request>,
    ) -> ServiceResult<Count> {
        let mut value = 0;
        while requests.try_next().await?.is_some() {
            value += 1;
        }
        Response::ok(Count {
            value,
            ..Default::default()
        })
    }

    async fn chat(
        &self,
        _context: RequestContext,
        requests: InboundStream<Request>,
    ) -> ServiceResult<ServiceStream<Reply>> {
        let replies = requests.map(|request| Ok(reply(request?.name())));
        Ok(Response::stream(replies))
    }
}

impl Peer for ConnectRust {
    type Client = Client;

    async fn serve(security: Security, ready: impl FnOnce(&str)) -> Result<(), Error> {
        plain(security)?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        ready(&listener.local_addr()?.to_string());
        let router = Router::new().add_service(Arc::new(Servicer));
        let service =
            connectrpc::ConnectRpcService::new(router).with_compression(CompressionRegistry::new());
        Server::from_listener(listener)
            .serve_with_service(service)
            .await
    }
}

/// TLS is between those that the benchmark itself brings.
fn plain(security: Security) -> Result<(), Error> {
    match security {
        Security::Plain => Ok(()),
        Security::Tls => Err("connect-rust is measured without TLS".into()),
    }
}

#[derive(Clone)]
pub struct Client(Arc<BenchClient<SharedHttp2Connection>>);

type Body = <SharedHttp2Connection as ClientTransport>::ResponseBody;
type Chat = BidiStream<Body, Request, ReplyView<'static>>;

fn request() -> Request {
    Request {
        name: NAME.to_owned(),
        ..Default::default()
    }
}

impl peer::Client for Client {
    type Chat = Chat;

    type Target = http::Uri;

    fn target(address: &str, security: Security) -> Result<Self::Target, Error> {
        plain(security)?;
        Ok(format!("http://{address}").parse()?)
    }

    async fn connect(target: &Self::Target) -> Result<Self, Error> {
        let connection = Http2Connection::connect_plaintext(target.clone()).await?;
        let config = ClientConfig::new(target.clone())
            .with_protocol(Protocol::Grpc)
            .with_compression(CompressionRegistry::new());
        let client = BenchClient::new(connection.shared(QUEUE), config);
        Ok(Self(Arc::new(client)))
    }

    async fn greet(&self, task: Task) -> Result<String, Error> {
        let response = match task {
            Task::Yield => self.0.r#yield(request()).await?,
            Task::Sleep => self.0.sleep(request()).await?,
            Task::Spin => self.0.spin(request()).await?,
            _ => self.0.hello(request()).await?,
        };
        Ok(response.view().text.to_owned())
    }

    async fn echo(&self, size: usize) -> Result<usize, Error> {
        let payload = Payload {
            data: vec![b'b'; size],
            ..Default::default()
        };
        Ok(self.0.echo(payload).await?.view().data.len())
    }

    async fn pull(&self, count: usize) -> Result<usize, Error> {
        let mut replies = self
            .0
            .pull(Count {
                value: count as u64,
                ..Default::default()
            })
            .await?;
        let mut came = 0;
        while replies.message().await?.is_some() {
            came += 1;
        }
        Ok(came)
    }

    async fn push(&self, count: usize) -> Result<usize, Error> {
        let requests = tokio_stream::iter((0..count).map(|_| request()));
        Ok(self.0.push(requests).await?.view().value as usize)
    }

    async fn chat(&self, count: usize) -> Result<usize, Error> {
        let (mut requests, mut replies) = self.0.chat().await?.into_split();
        let send = async {
            for _ in 0..count {
                requests.send(request()).await?;
            }
            requests.close_send();
            Ok(())
        };
        let read = async {
            let mut came = 0;
            while replies.message().await?.is_some() {
                came += 1;
            }
            Ok(came)
        };
        let ((), came) = tokio::try_join!(send, read).map_err(|error: ConnectError| error)?;
        Ok(came)
    }

    async fn open(&self) -> Result<Self::Chat, Error> {
        let mut chat = self.0.chat().await?;
        check(&Self::exchange(&mut chat).await?)?;
        Ok(chat)
    }

    async fn exchange(chat: &mut Self::Chat) -> Result<String, Error> {
        chat.send(request()).await?;
        let reply = chat.message().await?.ok_or("the stream ended")?;
        Ok(reply.text().to_owned())
    }
}
