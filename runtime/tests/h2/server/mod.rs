//! `h2` as the server of our channel, scripted by each test.

mod authority;
#[cfg(feature = "compression")]
mod compression;
mod endings;
mod flow;
mod metadata;
mod raw;
mod reconnect;
mod request;
mod response;

use std::future::poll_fn;

use bytes::Bytes;
use grpc_runtime::{Channel, ChannelCredentials, Http2Options};
use h2::server::{Builder, SendResponse};
use h2::{Reason, RecvStream, SendStream};
use http::request::Parts;
use http::{HeaderMap, Response};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::peer::{fields, framed, read, within};
use crate::support::{Echo, EchoStub};

/// A listening socket and the stub of a channel to it.
struct Peer {
    listener: TcpListener,
    stub: EchoStub,
}

impl Peer {
    async fn start() -> Self {
        Self::start_with(Http2Options::default()).await
    }

    async fn start_with(options: Http2Options) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let channel = Channel::builder(&address)
            .unwrap()
            .http2(options)
            .build(ChannelCredentials::insecure())
            .unwrap();
        Self {
            listener,
            stub: EchoStub(channel),
        }
    }

    /// The channel's next connection.
    async fn accept(&self) -> Connection {
        self.accept_with(&Builder::new()).await
    }

    async fn accept_with(&self, builder: &Builder) -> Connection {
        let socket = within(self.listener.accept()).await.unwrap().0;
        socket.set_nodelay(true).unwrap();
        let connection = within(builder.handshake(socket)).await.unwrap();
        Connection::start(connection)
    }
}

/// What a test may ask of a connection as a whole.
enum Order {
    /// GOAWAY in two steps; what runs may finish.
    Leave,
    /// GOAWAY with this reason; what runs is cut.
    Break(Reason),
}

/// A connection, driven by a task of its own.
struct Connection {
    calls: UnboundedReceiver<Call>,
    orders: UnboundedSender<Order>,
    task: tokio::task::JoinHandle<()>,
}

impl Connection {
    fn start(mut connection: h2::server::Connection<tokio::net::TcpStream, Bytes>) -> Self {
        let (sender, calls) = unbounded_channel();
        let (orders, mut taken) = unbounded_channel();
        let task = tokio::spawn(async move {
            loop {
                tokio::select! {
                    accepted = connection.accept() => {
                        let Some(Ok((request, response))) = accepted else { return };
                        let (head, body) = request.into_parts();
                        let _ = sender.send(Call { head, body, response });
                    }
                    Some(order) = taken.recv() => match order {
                        Order::Leave => connection.graceful_shutdown(),
                        Order::Break(reason) => connection.abrupt_shutdown(reason),
                    },
                }
            }
        });
        Self {
            calls,
            orders,
            task,
        }
    }

    async fn call(&mut self) -> Call {
        within(self.calls.recv())
            .await
            .expect("the connection has ended")
    }

    fn order(&self, order: Order) {
        self.orders.send(order).ok().unwrap();
    }

    /// Takes the socket away without a word.
    fn vanish(self) {
        self.task.abort();
    }
}

/// One call as it arrived.
struct Call {
    head: Parts,
    body: RecvStream,
    response: SendResponse<Bytes>,
}

impl Call {
    /// The whole request, once it has ended.
    async fn request(&mut self) -> Bytes {
        within(read(&mut self.body)).await.unwrap()
    }

    /// The head of a response whose body goes on.
    fn respond(&mut self) -> SendStream<Bytes> {
        self.respond_with(200, &[("content-type", "application/grpc")])
    }

    fn respond_with(&mut self, status: u16, more: &[(&'static str, &str)]) -> SendStream<Bytes> {
        self.response
            .send_response(head(status, more), false)
            .unwrap()
    }

    /// A head that is all there is.
    fn refuse(&mut self, status: u16, more: &[(&'static str, &str)]) {
        self.response
            .send_response(head(status, more), true)
            .unwrap();
    }

    /// A proper unary response.
    fn answer(&mut self, message: &Echo) {
        let mut body = self.respond();
        body.send_data(framed(message), false).unwrap();
        body.send_trailers(ok()).unwrap();
    }

    /// What the client reset the stream with before any response.
    async fn reset(&mut self) -> Reason {
        within(poll_fn(|cx| self.response.poll_reset(cx)))
            .await
            .unwrap()
    }
}

/// What the client reset the stream with amid the response.
async fn reset_of(body: &mut SendStream<Bytes>) -> Reason {
    within(poll_fn(|cx| body.poll_reset(cx))).await.unwrap()
}

fn head(status: u16, more: &[(&'static str, &str)]) -> Response<()> {
    let mut response = Response::builder().status(status).body(()).unwrap();
    *response.headers_mut() = fields(more);
    response
}

/// The trailers of success.
fn ok() -> HeaderMap {
    fields(&[("grpc-status", "0")])
}
