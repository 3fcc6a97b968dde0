//! `h2` as the client of our server.

#[cfg(feature = "compression")]
mod compression;
mod endings;
mod flow;
mod head;
mod limits;
mod messages;
mod metadata;
mod request;
mod slow;

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use grpc_runtime::{Context, Metadata, Receiver, Sender, Server, ServerBuilder, Status};
use h2::SendStream;
use h2::client::{Builder, ResponseFuture, SendRequest};
use http::{HeaderMap, Method, Request, StatusCode};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::peer;
use crate::support::{Echo, EchoServicer, service};

/// Echoes what it gets, and reports when it begins and ends.
struct Echoes {
    runs: Arc<AtomicUsize>,
    events: UnboundedSender<&'static str>,
}

/// A handler's presence: tells when the handler's future is dropped.
struct Running(UnboundedSender<&'static str>);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.send("dropped");
    }
}

impl Echoes {
    fn enter(&self) -> Running {
        self.runs.fetch_add(1, Ordering::SeqCst);
        let _ = self.events.send("entered");
        Running(self.events.clone())
    }
}

/// What came in under these keys goes out in both places.
fn reflect(context: &mut Context) -> Result<(), Status> {
    let mut metadata = Metadata::new();
    for key in ["x-text", "x-other", "x-data-bin"] {
        metadata.append_from(context.metadata(), key);
    }
    *context.trailing_metadata_mut() = metadata.clone();
    context.set_initial_metadata(metadata)
}

/// A failure with as much text, details and metadata as `fail 1 2 3` asks for.
fn failure(sizes: &str) -> Status {
    let mut sizes = sizes.split(' ').skip(1).map(|size| size.parse().unwrap());
    let mut next = || sizes.next().unwrap_or(0);
    let mut status = Status::not_found("m".repeat(next())).with_details(vec![0; next()]);
    let value = "v".repeat(next());
    if !value.is_empty() {
        status.metadata_mut().append("x-much", &value).unwrap();
    }
    status
}

impl EchoServicer for Echoes {
    async fn unary(&self, request: Echo, context: &mut Context) -> Result<Echo, Status> {
        let _running = self.enter();
        reflect(context)?;
        match request.text.as_str() {
            "wait" => pending().await,
            "fail" => Err(Status::not_found("no ☺\n100%")),
            sizes if sizes.starts_with("fail ") => Err(failure(sizes)),
            "large trailers" => {
                let value = "v".repeat(usize::try_from(request.number).unwrap_or(0));
                context.trailing_metadata_mut().append("x-large", &value)?;
                Ok(request)
            }
            "large head" => {
                let value = "v".repeat(usize::try_from(request.number).unwrap_or(0));
                let metadata = Metadata::from_pairs([("x-large", value.as_str())])?;
                context.set_initial_metadata(metadata)?;
                Ok(request)
            }
            _ => Ok(request),
        }
    }

    async fn expand(
        &self,
        request: Echo,
        replies: &mut Sender<Echo>,
        context: &mut Context,
    ) -> Result<(), Status> {
        let _running = self.enter();
        reflect(context)?;
        for number in 0..request.number {
            let data = request.data.clone();
            replies
                .send(Echo {
                    data,
                    number,
                    ..Echo::default()
                })
                .await?;
        }
        match request.text.as_str() {
            "wait" => pending().await,
            "fail" => Err(Status::aborted("half way")),
            _ => Ok(()),
        }
    }

    async fn collect(
        &self,
        requests: &mut Receiver<Echo>,
        _context: &mut Context,
    ) -> Result<Echo, Status> {
        let _running = self.enter();
        let mut sum = 0;
        while let Some(request) = requests.next().await? {
            if request.text == "enough" {
                break;
            }
            sum += request.number;
        }
        Ok(Echo::number(sum))
    }

    async fn chat(
        &self,
        requests: &mut Receiver<Echo>,
        replies: &mut Sender<Echo>,
        _context: &mut Context,
    ) -> Result<(), Status> {
        let _running = self.enter();
        while let Some(request) = requests.next().await? {
            replies.send(request).await?;
        }
        Ok(())
    }
}

/// An `h2` client connected to a server of ours.
struct Peer {
    requests: SendRequest<Bytes>,
    runs: Arc<AtomicUsize>,
    events: UnboundedReceiver<&'static str>,
    server: Server,
    connection: tokio::task::JoinHandle<Result<(), h2::Error>>,
}

/// All that came back of one call.
#[derive(Debug)]
struct Answer {
    http: StatusCode,
    head: HeaderMap,
    messages: Vec<Echo>,
    /// The head's fields once more, where it was trailers-only.
    trailers: HeaderMap,
    trailers_only: bool,
}

impl Answer {
    /// The `grpc-status` of a call; the head must never be missing.
    fn code(&self) -> &str {
        assert_eq!(peer::text(&self.head, "content-type"), "application/grpc");
        peer::text(&self.trailers, "grpc-status")
    }

    fn message(&self) -> &str {
        peer::text(&self.trailers, "grpc-message")
    }

    /// The answer is a refusal in one block, with this code.
    fn assert_refused(&self, code: &str, what: &str) {
        assert_eq!(self.code(), code, "{what}: {self:?}");
        assert!(self.trailers_only, "{what}: {self:?}");
        assert_eq!(self.http, StatusCode::OK, "{what}");
    }
}

/// A proper request's head.
fn request(method: grpc_runtime::Method) -> Request<()> {
    with(method, &[])
}

/// A proper request's head with more fields.
fn with(method: grpc_runtime::Method, more: &[(&'static str, &str)]) -> Request<()> {
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(format!("http://localhost{}", method.path()))
        .header("te", "trailers")
        .header("content-type", "application/grpc")
        .body(())
        .unwrap();
    request.headers_mut().extend(peer::fields(more));
    request
}

impl Peer {
    async fn start() -> Self {
        Self::start_with(Server::builder(), &Builder::new()).await
    }

    async fn start_with(server: ServerBuilder, client: &Builder) -> Self {
        let runs = Arc::new(AtomicUsize::new(0));
        let (sender, events) = unbounded_channel();
        let echoes = Echoes {
            runs: Arc::clone(&runs),
            events: sender,
        };
        let server = server.add_service(service(echoes)).listen("127.0.0.1:0");
        let server = server.start().await.unwrap();
        let socket = TcpStream::connect(&server.addresses()[0]).await.unwrap();
        socket.set_nodelay(true).unwrap();
        let (requests, connection) = client.handshake(socket).await.unwrap();
        let connection = tokio::spawn(connection);
        Self {
            requests,
            runs,
            events,
            server,
            connection,
        }
    }

    /// How many handlers have begun.
    fn runs(&self) -> usize {
        self.runs.load(Ordering::SeqCst)
    }

    async fn expect(&mut self, event: &str) {
        assert_eq!(peer::within(self.events.recv()).await, Some(event));
    }

    /// Sends a head whose request goes on.
    async fn open(&mut self, request: Request<()>) -> (ResponseFuture, SendStream<Bytes>) {
        let mut requests = peer::within(self.requests.clone().ready()).await.unwrap();
        requests.send_request(request, false).unwrap()
    }

    /// A whole call: each piece goes in a DATA frame of its own.
    async fn call(
        &mut self,
        request: Request<()>,
        pieces: impl IntoIterator<Item = Bytes>,
    ) -> Answer {
        let (response, mut body) = self.open(request).await;
        let mut pieces = pieces.into_iter().peekable();
        if pieces.peek().is_none() {
            body.send_data(Bytes::new(), true).unwrap();
        }
        while let Some(piece) = pieces.next() {
            // A server that has answered resets what it will not read.
            if body.send_data(piece, pieces.peek().is_none()).is_err() {
                break;
            }
        }
        answer(response).await.unwrap()
    }
}

async fn answer(response: ResponseFuture) -> Result<Answer, h2::Error> {
    peer::within(async {
        let response = response.await?;
        let trailers_only = response.body().is_end_stream();
        let (head, mut body) = response.into_parts();
        let bytes = peer::read(&mut body).await?;
        let trailers = body.trailers().await?;
        Ok(Answer {
            http: head.status,
            messages: peer::messages(bytes),
            trailers: trailers.unwrap_or_else(|| head.headers.clone()),
            head: head.headers,
            trailers_only,
        })
    })
    .await
}
