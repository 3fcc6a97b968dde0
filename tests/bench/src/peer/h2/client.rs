//! The client: a task for the connection, and each call where it is made.

use bytes::{Bytes, BytesMut};
use h2::SendStream;
use h2::client::{Builder, ResponseFuture, SendRequest};
use http::header::{CONTENT_TYPE, TE};
use http::{HeaderValue, Method, Request as Head, Uri};
use prost::Message;
use tokio::net::TcpStream;

use super::messages::{Messages, framed, put, write};
use super::{BATCH, WINDOW, plain};
use crate::Error;
use crate::handler::{NAME, check};
use crate::load::Task;
use crate::peer;
use crate::peer::ours::generated::{Count, Payload, Reply, Request};
use crate::security::Security;

#[derive(Clone, Debug)]
pub struct Client {
    connection: SendRequest<Bytes>,
    address: String,
}

/// An open call with messages both ways.
#[derive(Debug)]
pub struct Chat {
    requests: SendStream<Bytes>,
    replies: Messages,
}

fn request() -> Request {
    Request {
        name: NAME.to_owned(),
    }
}

impl Client {
    async fn start(&self, method: &str) -> Result<(ResponseFuture, SendStream<Bytes>), Error> {
        let mut head = Head::new(());
        *head.method_mut() = Method::POST;
        *head.uri_mut() = Uri::builder()
            .scheme("http")
            .authority(self.address.as_str())
            .path_and_query(format!("/bench.Bench/{method}"))
            .build()?;
        let headers = head.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(TE, HeaderValue::from_static("trailers"));
        let mut connection = self.connection.clone().ready().await?;
        Ok(connection.send_request(head, false)?)
    }

    async fn unary<R: Message + Default>(
        &self,
        method: &str,
        message: &impl Message,
    ) -> Result<R, Error> {
        let (response, mut requests) = self.start(method).await?;
        requests.send_data(framed(message)?, true)?;
        finish(response).await
    }
}

async fn begin(response: ResponseFuture) -> Result<Messages, Error> {
    let response = response.await?;
    if response.status() != http::StatusCode::OK {
        return Err(format!("the HTTP status was {}", response.status()).into());
    }
    Ok(Messages::new(response.into_body()))
}

/// The only message of an answer.
async fn finish<R: Message + Default>(response: ResponseFuture) -> Result<R, Error> {
    let mut replies = begin(response).await?;
    let reply = replies.one().await?;
    end(&mut replies).await?;
    Ok(reply)
}

async fn end(replies: &mut Messages) -> Result<(), Error> {
    let trailers = replies.trailers().await?.ok_or("no trailers came")?;
    match trailers.get("grpc-status") {
        Some(status) if status == "0" => Ok(()),
        status => Err(format!("the status was {status:?}").into()),
    }
}

/// Sends a stream of so many messages and ends it.
async fn send(requests: &mut SendStream<Bytes>, count: usize) -> Result<(), Error> {
    let mut batch = BytesMut::new();
    for _ in 0..count {
        put(&request(), &mut batch)?;
        if batch.len() >= BATCH {
            write(requests, batch.split()).await?;
        }
    }
    write(requests, batch).await?;
    Ok(requests.send_data(Bytes::new(), true)?)
}

/// Reads a stream to its end.
async fn drain(replies: &mut Messages) -> Result<usize, Error> {
    let mut came = 0;
    while replies.next::<Reply>().await?.is_some() {
        came += 1;
    }
    end(replies).await?;
    Ok(came)
}

impl peer::Client for Client {
    type Chat = Chat;

    type Target = String;

    fn target(address: &str, security: Security) -> Result<String, Error> {
        plain(security)?;
        Ok(address.to_owned())
    }

    async fn connect(target: &String) -> Result<Self, Error> {
        let socket = TcpStream::connect(target).await?;
        socket.set_nodelay(true)?;
        let mut builder = Builder::new();
        builder
            .initial_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .enable_push(false);
        let (connection, driver) = builder.handshake(socket).await?;
        // Calls see what breaks a connection.
        tokio::spawn(driver);
        Ok(Self {
            connection,
            address: target.clone(),
        })
    }

    async fn greet(&self, task: Task) -> Result<String, Error> {
        let method = match task {
            Task::Yield => "Yield",
            Task::Sleep => "Sleep",
            Task::Spin => "Spin",
            _ => "Hello",
        };
        let reply: Reply = self.unary(method, &request()).await?;
        Ok(reply.text)
    }

    async fn echo(&self, size: usize) -> Result<usize, Error> {
        let data = vec![b'b'; size];
        let payload: Payload = self.unary("Echo", &Payload { data }).await?;
        Ok(payload.data.len())
    }

    async fn pull(&self, count: usize) -> Result<usize, Error> {
        let (response, mut requests) = self.start("Pull").await?;
        let value = count as u64;
        requests.send_data(framed(&Count { value })?, true)?;
        drain(&mut begin(response).await?).await
    }

    async fn push(&self, count: usize) -> Result<usize, Error> {
        let (response, mut requests) = self.start("Push").await?;
        send(&mut requests, count).await?;
        let count: Count = finish(response).await?;
        Ok(count.value as usize)
    }

    async fn chat(&self, count: usize) -> Result<usize, Error> {
        let (response, mut requests) = self.start("Chat").await?;
        let read = async { drain(&mut begin(response).await?).await };
        let ((), came) = tokio::try_join!(send(&mut requests, count), read)?;
        Ok(came)
    }

    async fn open(&self) -> Result<Chat, Error> {
        let (response, mut requests) = self.start("Chat").await?;
        requests.send_data(framed(&request())?, false)?;
        let mut replies = begin(response).await?;
        let reply: Reply = replies.next().await?.ok_or("the stream ended")?;
        check(&reply.text)?;
        Ok(Chat { requests, replies })
    }

    async fn exchange(chat: &mut Chat) -> Result<String, Error> {
        chat.requests.send_data(framed(&request())?, false)?;
        let reply: Reply = chat.replies.next().await?.ok_or("the stream ended")?;
        Ok(reply.text)
    }
}
