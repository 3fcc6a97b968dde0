//! The server: a task for each call.

use bytes::{Bytes, BytesMut};
use h2::server::{Builder, SendResponse};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, HeaderValue, Request as Head, Response, StatusCode};
use tokio::net::{TcpListener, TcpStream};

use super::messages::{Messages, framed, put, write};
use super::{BATCH, WINDOW};
use crate::Error;
use crate::handler::{NAME, greeting, prepare};
use crate::load::Task;
use crate::peer::ours::generated::{Count, Payload, Reply, Request};

pub(super) async fn serve(ready: impl FnOnce(&str)) -> Result<(), Error> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    ready(&listener.local_addr()?.to_string());
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        // A connection that breaks is its client's affair.
        tokio::spawn(connection(socket));
    }
}

async fn connection(socket: TcpStream) -> Result<(), Error> {
    let mut builder = Builder::new();
    builder
        .initial_window_size(WINDOW)
        .initial_connection_window_size(WINDOW);
    let mut connection = builder.handshake(socket).await?;
    while let Some(call) = connection.accept().await {
        let (head, respond) = call?;
        tokio::spawn(answer(head, respond));
    }
    Ok(())
}

async fn answer(head: Head<RecvStream>, mut respond: SendResponse<Bytes>) -> Result<(), Error> {
    let (head, body) = head.into_parts();
    let mut requests = Messages::new(body);
    let task = match head.uri.path() {
        "/bench.Bench/Echo" => {
            let payload: Payload = requests.one().await?;
            return reply(&mut respond, framed(&payload)?);
        }
        "/bench.Bench/Push" => {
            let mut value = 0;
            while requests.next::<Request>().await?.is_some() {
                value += 1;
            }
            return reply(&mut respond, framed(&Count { value })?);
        }
        "/bench.Bench/Pull" => {
            let count: Count = requests.one().await?;
            return pull(begin(&mut respond)?, count.value).await;
        }
        "/bench.Bench/Chat" => return chat(begin(&mut respond)?, requests).await,
        "/bench.Bench/Yield" => Task::Yield,
        "/bench.Bench/Sleep" => Task::Sleep,
        "/bench.Bench/Spin" => Task::Spin,
        "/bench.Bench/Hello" => Task::Hello,
        path => return Err(format!("no method is called '{path}'").into()),
    };
    let request: Request = requests.one().await?;
    prepare(task).await;
    let text = greeting(&request.name);
    reply(&mut respond, framed(&Reply { text })?)
}

async fn pull(mut replies: SendStream<Bytes>, count: u64) -> Result<(), Error> {
    let mut batch = BytesMut::new();
    for _ in 0..count {
        let text = greeting(NAME);
        put(&Reply { text }, &mut batch)?;
        if batch.len() >= BATCH {
            write(&mut replies, batch.split()).await?;
        }
    }
    write(&mut replies, batch).await?;
    end(&mut replies)
}

async fn chat(mut replies: SendStream<Bytes>, mut requests: Messages) -> Result<(), Error> {
    let mut batch = BytesMut::new();
    while let Some(first) = requests.next::<Request>().await? {
        let mut next = Some(first);
        while let Some(request) = next {
            let text = greeting(&request.name);
            put(&Reply { text }, &mut batch)?;
            next = requests.here()?;
        }
        write(&mut replies, batch.split()).await?;
    }
    end(&mut replies)
}

/// A whole answer: unary calls need not wait for room, as `h2` holds what does
/// not fit.
fn reply(respond: &mut SendResponse<Bytes>, message: Bytes) -> Result<(), Error> {
    let mut stream = begin(respond)?;
    stream.send_data(message, false)?;
    end(&mut stream)
}

fn begin(respond: &mut SendResponse<Bytes>) -> Result<SendStream<Bytes>, Error> {
    let mut head = Response::new(());
    *head.status_mut() = StatusCode::OK;
    let grpc = HeaderValue::from_static("application/grpc");
    head.headers_mut().insert(http::header::CONTENT_TYPE, grpc);
    Ok(respond.send_response(head, false)?)
}

fn end(stream: &mut SendStream<Bytes>) -> Result<(), Error> {
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    Ok(stream.send_trailers(trailers)?)
}
