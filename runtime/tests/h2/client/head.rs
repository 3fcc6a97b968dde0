//! When the head of a response goes: a client that sends nothing before it has
//! the head is never left waiting for a handler that waits for its message.

use std::time::{Duration, Instant};

use bytes::Bytes;
use grpc_runtime::{Compression, Context, Metadata, Receiver, Sender, Server, Status};
use h2::client::{Builder, SendRequest};
use http::HeaderMap;
use tokio::net::TcpStream;

use super::{Answer, answer, request, with};
use crate::peer::{self, framed, messages, within};
use crate::support::{CHAT, Echo, EchoServicer, service};

/// Talks as the request's `x-as` says.
struct Talker;

fn pairs(key: &str, value: &str) -> Result<Metadata, Status> {
    Ok(Metadata::from_pairs([(key, value)])?)
}

impl EchoServicer for Talker {
    async fn chat(
        &self,
        requests: &mut Receiver<Echo>,
        replies: &mut Sender<Echo>,
        context: &mut Context,
    ) -> Result<(), Status> {
        match context.metadata().get("x-as").unwrap_or("plain") {
            "set" => context.set_initial_metadata(pairs("x-set", "before the wait")?)?,
            "heavy" => {
                let began = Instant::now();
                while began.elapsed() < Duration::from_micros(500) {
                    std::hint::spin_loop();
                }
            }
            "held" => {
                context.hold_initial_metadata()?;
                if let Some(first) = requests.next().await? {
                    context.set_compression(Compression::Identity)?;
                    context.set_initial_metadata(pairs("x-set", &first.text)?)?;
                    replies.send(first).await?;
                }
            }
            "late" => {
                requests.next().await?;
                let late = context.set_initial_metadata(Metadata::new()).unwrap_err();
                let hold = context.hold_initial_metadata().unwrap_err();
                let encoding = context.set_compression(Compression::Identity).unwrap_err();
                let told = [late, hold, encoding].map(|status| status.code() as i64);
                replies.send(Echo::text(&format!("{told:?}"))).await?;
            }
            "two" => {
                requests.next().await?;
            }
            "fail" => {
                requests.next().await?;
                return Err(Status::aborted("at the first message"));
            }
            _ => {}
        }
        while let Some(request) = requests.next().await? {
            replies.send(request).await?;
        }
        Ok(())
    }
}

struct Client {
    requests: SendRequest<Bytes>,
    _server: Server,
}

impl Client {
    async fn start() -> Self {
        let server = Server::builder().add_service(service(Talker));
        let server = server.listen("127.0.0.1:0").start().await.unwrap();
        let socket = TcpStream::connect(&server.addresses()[0]).await.unwrap();
        let (requests, connection) = Builder::new().handshake(socket).await.unwrap();
        tokio::spawn(connection);
        Self {
            requests,
            _server: server,
        }
    }

    /// Sends `early`, waits for the head, and only then sends `late`, whose echo
    /// ends the call. Gives the head.
    async fn head_first(&self, talk: &str, early: Option<Echo>, late: &Echo) -> HeaderMap {
        let mut requests = within(self.requests.clone().ready()).await.unwrap();
        let head = with(CHAT, &[("x-as", talk)]);
        let (response, mut body) = requests.send_request(head, false).unwrap();
        if let Some(early) = early {
            body.send_data(framed(&early), false).unwrap();
        }
        let response = within(response).await.unwrap();
        assert!(!response.body().is_end_stream());
        body.send_data(framed(late), true).unwrap();
        let (head, mut body) = response.into_parts();
        let bytes = within(peer::read(&mut body)).await.unwrap();
        assert_eq!(messages(bytes), std::slice::from_ref(late), "{talk}");
        let trailers = within(body.trailers()).await.unwrap().unwrap();
        assert_eq!(peer::text(&trailers, "grpc-status"), "0", "{talk}");
        head.headers
    }

    /// The head and the first message leave in one write.
    async fn at_once(&self, talk: &str, message: &Echo) -> Answer {
        let mut requests = within(self.requests.clone().ready()).await.unwrap();
        let head = with(CHAT, &[("x-as", talk)]);
        let (response, mut body) = requests.send_request(head, false).unwrap();
        body.send_data(framed(message), true).unwrap();
        answer(response).await.unwrap()
    }
}

#[tokio::test]
async fn a_client_that_sends_nothing_before_the_head_gets_it() {
    let client = Client::start().await;
    let head = client.head_first("plain", None, &Echo::number(1)).await;
    assert_eq!(peer::text(&head, "content-type"), "application/grpc");
    // A handler that has its first message and waits for the second.
    let early = Some(Echo::number(1));
    client.head_first("two", early, &Echo::number(2)).await;
    // Handlers that begin on tasks of their own, from about the second call on.
    for number in 0..20 {
        client
            .head_first("heavy", None, &Echo::number(number))
            .await;
    }
}

#[tokio::test]
async fn a_head_that_goes_alone_says_what_was_set_before_the_handler_waited() {
    let client = Client::start().await;
    let head = client.head_first("set", None, &Echo::number(1)).await;
    assert_eq!(peer::text(&head, "x-set"), "before the wait");
    let answer = client.at_once("set", &Echo::number(1)).await;
    assert_eq!(peer::text(&answer.head, "x-set"), "before the wait");
}

/// Whether its message comes late or at once, a handler finds the same.
#[tokio::test]
async fn what_the_head_says_is_settled_when_the_handler_asks_for_a_message() {
    let client = Client::start().await;
    let expected = Echo::text("[13, 13, 13]");
    let answer = client.at_once("late", &Echo::default()).await;
    assert_eq!(answer.messages, std::slice::from_ref(&expected));

    let mut requests = within(client.requests.clone().ready()).await.unwrap();
    let head = with(CHAT, &[("x-as", "late")]);
    let (response, mut body) = requests.send_request(head, false).unwrap();
    let response = within(response).await.unwrap();
    body.send_data(framed(&Echo::default()), true).unwrap();
    let bytes = within(peer::read(&mut response.into_body())).await.unwrap();
    assert_eq!(messages(bytes), [expected]);
}

#[tokio::test]
async fn a_head_that_is_held_goes_with_the_first_reply() {
    let client = Client::start().await;
    let answer = client
        .at_once("held", &Echo::text("from the message"))
        .await;
    assert_eq!(peer::text(&answer.head, "x-set"), "from the message");
    assert_eq!(answer.code(), "0");
}

#[tokio::test]
async fn a_call_that_fails_at_its_first_message_is_still_one_block() {
    let client = Client::start().await;
    let answer = client.at_once("fail", &Echo::default()).await;
    assert!(answer.trailers_only, "{answer:?}");
    assert_eq!(answer.code(), "10");
    let mut requests = within(client.requests.clone().ready()).await.unwrap();
    let (response, _body) = requests.send_request(request(CHAT), true).unwrap();
    assert_eq!(super::answer(response).await.unwrap().code(), "0");
}
