//! The access log: one line for each call that is over, at both ends, however it ends.

use std::future::IntoFuture;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use grpc_runtime::{
    AccessLog, Channel, ChannelCredentials, Context, Receiver, Sender, Server, Status,
};
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::addresses::nobody;
use crate::calls::Echoes;
use crate::support::{Echo, EchoServicer, EchoStub, MISSING, service};

/// Long enough for anything that is not stuck.
const BOUND: Duration = Duration::from_secs(20);

/// A writer into memory.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Paper {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// Waits until there are so many lines.
    async fn lines(&self, number: usize) -> Vec<String> {
        let enough = async {
            while self.text().lines().count() < number {
                sleep(Duration::from_millis(1)).await;
            }
        };
        let written = timeout(BOUND, enough).await;
        assert!(written.is_ok(), "only {}", self.text());
        self.text().lines().map(str::to_owned).collect()
    }

    /// The last of so many lines.
    async fn line(&self, number: usize) -> Value {
        let lines = self.lines(number).await;
        assert_eq!(lines.len(), number, "{lines:?}");
        serde_json::from_str(&lines[number - 1]).unwrap()
    }
}

async fn start(servicer: impl EchoServicer, log: &AccessLog) -> Server {
    let server = Server::builder().add_service(service(servicer));
    let server = server.observe(log.clone()).listen("127.0.0.1:0");
    server.start().await.unwrap()
}

fn stub(log: &AccessLog, address: &str) -> EchoStub {
    let builder = Channel::builder(address).unwrap().observe(log.clone());
    EchoStub(builder.build(ChannelCredentials::insecure()).unwrap())
}

async fn call(stub: &EchoStub, text: &str) -> Result<Echo, Status> {
    let call = stub.unary(Echo::text(text)).timeout(BOUND).into_future();
    timeout(2 * BOUND, call).await.unwrap()
}

/// Never answers.
struct Waits;

impl EchoServicer for Waits {
    async fn unary(&self, _request: Echo, _context: &mut Context) -> Result<Echo, Status> {
        std::future::pending().await
    }

    async fn chat(
        &self,
        _requests: &mut Receiver<Echo>,
        replies: &mut Sender<Echo>,
        _context: &mut Context,
    ) -> Result<(), Status> {
        replies.send(Echo::text("hi")).await?;
        std::future::pending().await
    }
}

#[tokio::test]
async fn each_call_has_a_line_at_both_ends() {
    let (at_server, at_client) = (Paper::default(), Paper::default());
    let server = start(Echoes, &AccessLog::json().to(at_server.clone())).await;
    let address = server.addresses()[0].clone();
    let log = AccessLog::json().to(at_client.clone());
    let stub = stub(&log, &address);

    call(&stub, "hi").await.unwrap();
    let (client, serves) = (at_client.line(1).await, at_server.line(1).await);
    assert_eq!(client["side"], "client");
    assert_eq!(client["peer"], address.as_str());
    let target = client["target"].as_str().unwrap();
    assert!(target.ends_with(&address), "{target}");
    assert_eq!(client["attempts"], 1);
    assert_eq!(serves["side"], "server");
    assert_eq!(serves["target"], Value::Null);
    for line in [&client, &serves] {
        assert_eq!(line["method"], "/test.Echo/Unary");
        assert_eq!(line["code"], "OK");
        assert_eq!(line["received_messages"], 1);
        assert_eq!(line["received_bytes"], 4);
        assert_eq!(line["sent_bytes"], 4);
        assert_eq!(line["error"], Value::Null);
        assert!(line["elapsed_ms"].as_f64().unwrap() >= 0.0);
        assert_eq!(line["time"].as_str().unwrap().len(), 24);
    }

    call(&stub, "fail").await.unwrap_err();
    for line in [at_client.line(2).await, at_server.line(2).await] {
        assert_eq!(line["code"], "NOT_FOUND");
        assert_eq!(line["error"], "no ☺ here\t");
    }

    call(&stub, "panic").await.unwrap_err();
    for line in [at_client.line(3).await, at_server.line(3).await] {
        assert_eq!(line["code"], "INTERNAL");
    }

    let missing = stub.call(MISSING, Echo::default()).into_future();
    timeout(BOUND, missing).await.unwrap().unwrap_err();
    let (client, serves) = (at_client.line(4).await, at_server.line(4).await);
    assert_eq!(client["code"], "UNIMPLEMENTED");
    assert_eq!(serves["code"], "UNIMPLEMENTED");
    assert_eq!(serves["refused"], true);
    assert_eq!(serves["elapsed_ms"], Value::Null);

    let mut replies = stub.expand(Echo::number(3)).start();
    while replies.next().await.unwrap().is_some() {
        // A stream has its line when it is over.
        assert_eq!(at_client.text().lines().count(), 4);
    }
    let (client, serves) = (at_client.line(5).await, at_server.line(5).await);
    assert_eq!(client["received_messages"], 3);
    assert_eq!(serves["sent_messages"], 3);

    drop((stub, log));
    server.shutdown(BOUND).await;
    // Nothing is said twice.
    assert_eq!(at_client.lines(5).await.len(), 5);
    assert_eq!(at_server.lines(5).await.len(), 5);
}

#[tokio::test]
async fn calls_that_are_given_up_have_their_line() {
    let (at_server, at_client) = (Paper::default(), Paper::default());
    let server = start(Waits, &AccessLog::json().to(at_server.clone())).await;
    let log = AccessLog::json().to(at_client.clone());
    let stub = stub(&log, &server.addresses()[0]);

    let short = Duration::from_millis(100);
    let late = stub.unary(Echo::text("hi")).timeout(short).into_future();
    timeout(BOUND, late).await.unwrap().unwrap_err();
    assert_eq!(at_client.line(1).await["code"], "DEADLINE_EXCEEDED");
    let code = at_server.line(1).await["code"].clone();
    // Who is first is a matter of timing.
    assert!(code == "DEADLINE_EXCEEDED" || code == "CANCELLED", "{code}");

    let (requests, mut replies) = stub.chat().start();
    timeout(BOUND, replies.next()).await.unwrap().unwrap();
    drop((requests, replies));
    for line in [at_client.line(2).await, at_server.line(2).await] {
        assert_eq!(line["code"], "CANCELLED");
        assert_eq!(line["method"], "/test.Echo/Chat");
    }

    let (_requests, mut replies) = stub.chat().start();
    timeout(BOUND, replies.next()).await.unwrap().unwrap();
    drop(server);
    timeout(BOUND, replies.next()).await.unwrap().unwrap_err();
    assert_eq!(at_client.line(3).await["code"], "UNAVAILABLE");
    at_server.line(3).await;
}

#[tokio::test]
async fn a_call_that_never_left_has_a_line_without_a_peer() {
    let paper = Paper::default();
    let log = AccessLog::new().to(paper.clone());
    call(&stub(&log, nobody()), "hi").await.unwrap_err();
    let line = paper.lines(1).await.remove(0);
    assert!(line.contains("Z client target="), "{line}");
    assert!(line.contains(" code=UNAVAILABLE elapsed="), "{line}");
    assert!(line.contains(" error=\""), "{line}");
}

/// A path with an escape sequence, which HTTP/2 lets through as any other byte.
#[tokio::test]
async fn what_a_stranger_calls_is_one_line() {
    let paper = Paper::default();
    let server = start(Echoes, &AccessLog::new().to(paper.clone())).await;
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    let (path, kind) = ("/a/é\" code=OK", b"application/grpc");
    let mut head = vec![0x83, 0x86, 0x04, u8::try_from(path.len()).unwrap()];
    head.extend_from_slice(path.as_bytes());
    head.extend_from_slice(&[0x0f, 16, u8::try_from(kind.len()).unwrap()]);
    head.extend_from_slice(kind);
    // HEADERS with END_HEADERS and END_STREAM on stream 1.
    bytes.extend_from_slice(&[0, 0, u8::try_from(head.len()).unwrap(), 1, 5, 0, 0, 0, 1]);
    bytes.extend_from_slice(&head);
    let mut client = TcpStream::connect(&server.addresses()[0]).await.unwrap();
    client.write_all(&bytes).await.unwrap();
    let lines = paper.lines(1).await;
    assert_eq!(lines.len(), 1);
    let told = r#" method="/a/é\" code=OK" code=UNIMPLEMENTED refused"#;
    assert!(lines[0].contains(told), "{lines:?}");
}

/// A writer that takes nothing until it is let.
#[derive(Clone, Default)]
struct Stuck(Arc<(Mutex<bool>, Condvar)>, Paper);

impl Write for Stuck {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (may, changed) = &*self.0;
        drop(
            changed
                .wait_while(may.lock().unwrap(), |may| !*may)
                .unwrap(),
        );
        self.1.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_writer_that_is_stuck_holds_up_no_call() {
    let stuck = Stuck::default();
    let log = AccessLog::new().to(stuck.clone());
    let server = start(Echoes, &log).await;
    let stub = stub(&log, &server.addresses()[0]);
    for _ in 0..50 {
        call(&stub, "hi").await.unwrap();
    }
    assert_eq!(stuck.1.text(), "");
    *stuck.0.0.lock().unwrap() = true;
    stuck.0.1.notify_all();
    // One log for both sides.
    let lines = stuck.1.lines(100).await;
    let of_server = lines.iter().filter(|line| line.contains("Z server "));
    assert_eq!((lines.len(), of_server.count()), (100, 50));
}

#[tokio::test]
async fn all_is_written_when_the_log_is_gone() {
    let paper = Paper::default();
    let log = AccessLog::new().to(paper.clone());
    let server = start(Echoes, &log).await;
    let stub = stub(&AccessLog::new().to(io::sink()), &server.addresses()[0]);
    call(&stub, "hi").await.unwrap();
    drop(stub);
    server.shutdown(BOUND).await;
    drop(log);
    assert_eq!(paper.lines(1).await.len(), 1);
}
