//! What observers hear of connections: each that begins, fails or ends, once, with the
//! peer and the cause.

use std::future::IntoFuture;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use grpc_runtime::{
    Channel, ChannelCredentials, CloseReason, ClosedConnection, ConnectionStep, EndedCall,
    FailedConnection, Http2Options, LeavingConnection, ObservedConnection, Observer, RefusedCall,
    Server, ServerBuilder, Side,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::addresses::{Peer, nobody, peer};
use crate::calls::Echoes;
use crate::support::{Echo, EchoStub, service};

/// Long enough for anything that is not stuck.
const BOUND: Duration = Duration::from_secs(20);
/// The least that a handshake may take.
const SHORT: Duration = Duration::from_secs(1);

/// Writes down all that it hears, in a line each: of connections, and of calls.
#[derive(Clone, Default)]
pub(crate) struct Hears(Arc<Mutex<Vec<String>>>, Arc<Mutex<Vec<String>>>);

impl Hears {
    fn push(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }

    fn push_call(&self, line: String) {
        self.1.lock().unwrap().push(line);
    }

    /// Waits until a call is over, and gives all that are.
    async fn calls(&self) -> Vec<String> {
        let over = async {
            while self.1.lock().unwrap().is_empty() {
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(BOUND, over).await.unwrap();
        self.1.lock().unwrap().clone()
    }

    pub(crate) fn so_far(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    /// Waits until there are so many lines, and gives all.
    pub(crate) async fn lines(&self, number: usize) -> Vec<String> {
        self.lines_with("", number).await;
        self.so_far()
    }

    /// Waits until there are so many lines with this text, and gives those.
    pub(crate) async fn lines_with(&self, text: &str, number: usize) -> Vec<String> {
        let with = || {
            let mut lines = self.so_far();
            lines.retain(|line| line.contains(text));
            lines
        };
        let enough = async {
            while with().len() < number {
                sleep(Duration::from_millis(1)).await;
            }
        };
        let heard = timeout(BOUND, enough).await;
        assert!(heard.is_ok(), "only {:?}", self.so_far());
        with()
    }
}

fn side(side: Side) -> &'static str {
    match side {
        Side::Client => "client",
        Side::Server => "server",
    }
}

impl Observer for Hears {
    fn connection_opened(&self, connection: &ObservedConnection) {
        let tls = if connection.is_encrypted() {
            " TLS"
        } else {
            ""
        };
        assert!(connection.id() > 0);
        let is_client = connection.side() == Side::Client;
        assert_eq!(connection.target().is_some(), is_client);
        self.push(format!("{} opened{tls}", side(connection.side())));
    }

    fn accept_failed(&self, error: &std::io::Error) {
        self.push(format!("server cannot accept: {error}"));
    }

    fn connection_failed(&self, failed: &FailedConnection<'_>) {
        let (side, step, peer) = (side(failed.side()), failed.step(), failed.peer());
        let source = if failed.source().is_some() {
            ", with a source"
        } else {
            ""
        };
        assert!(failed.to_string().contains(&peer.to_string()));
        assert_eq!(failed.target().is_some(), failed.side() == Side::Client);
        self.push(format!(
            "{side} failed at {step} with {peer}: {}{source}",
            failed.reason()
        ));
    }

    fn connection_closed(&self, closed: &ClosedConnection<'_>) {
        let reason = match closed.reason() {
            // Each system has its own words.
            CloseReason::Lost(_) => "it was lost".to_owned(),
            reason => reason.to_string(),
        };
        self.push(format!(
            "{} closed: {reason}",
            side(closed.connection().side())
        ));
    }

    fn call_ended(&self, call: &EndedCall<'_>) {
        let peer = if call.peer().is_some() {
            ""
        } else {
            " without a peer"
        };
        // A connection is open before a call on it is over.
        let is_open = self.so_far().iter().any(|line| line.contains("opened"));
        assert!(is_open || call.peer().is_none(), "{:?}", self.so_far());
        self.push_call(format!(
            "{} ended {:?}{peer}",
            call.method().path(),
            call.code()
        ));
    }

    fn call_refused(&self, call: &RefusedCall<'_>) {
        let known = if call.method().is_some() {
            ""
        } else {
            " which is not there"
        };
        self.push_call(format!(
            "{} refused {:?}{known}",
            call.path(),
            call.status().code()
        ));
    }

    fn go_away_sent(&self, go_away: &LeavingConnection<'_>) {
        let debug = String::from_utf8_lossy(go_away.debug_data());
        let side = side(go_away.connection().side());
        self.push(format!("{side} sent GOAWAY {} '{debug}'", go_away.code()));
    }

    fn go_away_received(&self, go_away: &LeavingConnection<'_>) {
        let debug = String::from_utf8_lossy(go_away.debug_data());
        let side = side(go_away.connection().side());
        self.push(format!(
            "{side} received GOAWAY {} '{debug}'",
            go_away.code()
        ));
    }
}

/// Of what one says alone.
fn of(lines: &[String], side: &str) -> Vec<String> {
    let own = lines.iter().filter_map(|line| line.strip_prefix(side));
    own.map(|line| line.trim().to_owned()).collect()
}

fn echoes(hears: &Hears) -> ServerBuilder {
    let server = Server::builder().add_service(service(Echoes));
    server.observe(hears.clone()).listen("127.0.0.1:0")
}

fn stub(hears: &Hears, address: &str) -> (Channel, EchoStub) {
    let builder = Channel::builder(address).unwrap().observe(hears.clone());
    let channel = builder.build(ChannelCredentials::insecure()).unwrap();
    (channel.clone(), EchoStub(channel))
}

async fn call(stub: &EchoStub) -> Result<Echo, grpc_runtime::Status> {
    let call = stub.unary(Echo::text("hi")).timeout(BOUND).into_future();
    timeout(2 * BOUND, call).await.unwrap()
}

#[tokio::test]
async fn a_connection_is_opened_once_and_closed_once_at_both_ends() {
    let hears = Hears::default();
    let server = echoes(&hears).start().await.unwrap();
    let (channel, stub) = stub(&hears, &server.addresses()[0]);
    for _ in 0..3 {
        call(&stub).await.unwrap();
    }
    assert_eq!(hears.lines(2).await.len(), 2);
    // The channel leaves in order.
    drop((channel, stub));
    let lines = hears.lines(6).await;
    let client = ["opened", "sent GOAWAY 0 ''", "closed: it was drained"];
    assert_eq!(of(&lines, "client"), client);
    let server_saw = of(&lines, "server");
    assert_eq!(server_saw[..2], ["opened", "received GOAWAY 0 ''"]);
    let ends = ["closed: it was drained", "closed: the peer closed it"];
    assert!(ends.contains(&server_saw[2].as_str()), "{server_saw:?}");
    server.shutdown(BOUND).await;
    assert_eq!(hears.so_far().len(), 6);
}

#[tokio::test]
async fn a_server_that_leaves_says_so_and_is_heard() {
    let hears = Hears::default();
    let server = echoes(&hears).start().await.unwrap();
    let (_channel, stub) = stub(&hears, &server.addresses()[0]);
    call(&stub).await.unwrap();
    server.shutdown(BOUND).await;
    hears.lines_with("closed", 2).await;
    let lines = hears.so_far();
    let server = of(&lines, "server");
    assert_eq!(server[..2], ["opened", "sent GOAWAY 0 ''"]);
    assert_eq!(server.len(), 3);
    let client = of(&lines, "client");
    assert_eq!(client[..2], ["opened", "received GOAWAY 0 ''"]);
    assert_eq!(
        client
            .iter()
            .filter(|line| line.starts_with("closed"))
            .count(),
        1
    );
}

#[tokio::test]
async fn a_lost_connection_and_a_dropped_one_are_told_apart() {
    let hears = Hears::default();
    let server = echoes(&hears).start().await.unwrap();
    let (channel, stub) = stub(&Hears::default(), &server.addresses()[0]);
    call(&stub).await.unwrap();
    hears.lines(1).await;
    drop(server);
    let lines = hears.lines(2).await;
    assert_eq!(
        of(&lines, "server"),
        ["opened", "closed: this side dropped it"]
    );
    drop((channel, stub));

    let hears = Hears::default();
    let server = echoes(&hears).start().await.unwrap();
    let (channel, stub) = self::stub(&hears, &server.addresses()[0]);
    call(&stub).await.unwrap();
    hears.lines(2).await;
    channel.close();
    hears.lines_with("closed", 2).await;
    let client = of(&hears.so_far(), "client");
    let expected = ["opened", "sent GOAWAY 0 ''", "closed: this side dropped it"];
    assert_eq!(client, expected);
    drop(stub);
}

#[tokio::test]
async fn a_server_tells_of_each_who_came_to_no_connection() {
    let hears = Hears::default();
    let mut options = Http2Options::default();
    options.handshake_timeout = SHORT;
    let server = echoes(&hears).http2(options).start().await.unwrap();
    let address = &server.addresses()[0];
    let cases: [(&[u8], &str); 4] = [
        (b"GET / HTTP/1.1\r\nHost: here\r\n\r\n", "(PROTOCOL_ERROR)"),
        // A ClientHello begins like this.
        (
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            "(PROTOCOL_ERROR)",
        ),
        (b"", "handshake"),
        (
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\xff\0\0\0\0\0",
            "PROTOCOL_ERROR",
        ),
    ];
    for (number, (says, reason)) in cases.into_iter().enumerate() {
        let mut client = TcpStream::connect(address).await.unwrap();
        let own = client.local_addr().unwrap();
        client.write_all(says).await.unwrap();
        let line = hears.lines(number + 1).await.remove(number);
        let begins = format!("server failed at HTTP/2 with {own}: ");
        assert!(line.starts_with(&begins), "{line}");
        assert!(line.contains(reason), "{line}");
    }
    // One that leaves at once, as load balancers do that look whether it listens.
    let client = TcpStream::connect(address).await.unwrap();
    let own = client.local_addr().unwrap();
    drop(client);
    let line = hears.lines(5).await.remove(4);
    assert!(
        line.starts_with(&format!("server failed at HTTP/2 with {own}: ")),
        "{line}"
    );
    // And those who may come in come in.
    call(&stub(&Hears::default(), address).1).await.unwrap();
    assert_eq!(hears.lines(6).await[5], "server opened");
}

#[tokio::test]
async fn who_is_refused_at_the_door_is_told() {
    let hears = Hears::default();
    let asked = Mutex::new(0);
    let server = echoes(&hears).on_accept(move |_| {
        *asked.lock().unwrap() += 1;
        match *asked.lock().unwrap() {
            1 => false,
            2 => panic!("a guard's own"),
            _ => true,
        }
    });
    let server = server.start().await.unwrap();
    for number in 0..2 {
        let mut client = TcpStream::connect(&server.addresses()[0]).await.unwrap();
        let own = client.local_addr().unwrap();
        let _ = client.read_to_end(&mut Vec::new()).await;
        let line = hears.lines(number + 1).await.remove(number);
        assert!(
            line.starts_with(&format!("server failed at admission with {own}: ")),
            "{line}"
        );
    }
}

#[tokio::test]
async fn a_channel_tells_of_each_address_that_led_nowhere() {
    for (script, reason) in [
        (
            Peer::Answers(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
            "it speaks HTTP/1.1",
        ),
        (Peer::HangsUp, "the peer closed it"),
    ] {
        let hears = Hears::default();
        let address = peer(script).await;
        let (channel, stub) = stub(&hears, &address);
        call(&stub).await.unwrap_err();
        drop((channel, stub));
        let line = hears.lines(1).await.remove(0);
        let begins = format!("client failed at HTTP/2 with {address}: ");
        assert!(line.starts_with(&begins), "{line}");
        assert!(line.contains(reason), "{line}");
    }

    // Of several each is told, and the one that leads there is opened.
    let (hears, server) = (
        Hears::default(),
        echoes(&Hears::default()).start().await.unwrap(),
    );
    let target = format!("ipv4:{},{}", nobody(), server.addresses()[0]);
    let (_channel, stub) = stub(&hears, &target);
    call(&stub).await.unwrap();
    let lines = hears.lines(2).await;
    let begins = format!("client failed at connect with {}: ", nobody());
    assert!(lines[0].starts_with(&begins), "{lines:?}");
    assert!(lines[0].ends_with("with a source"), "{lines:?}");
    assert_eq!(lines[1], "client opened");
}

#[tokio::test]
async fn a_connection_that_a_shutdown_cuts_was_not_drained() {
    let hears = Hears::default();
    let server = echoes(&hears).start().await.unwrap();
    let (_channel, stub) = stub(&Hears::default(), &server.addresses()[0]);
    let (mut requests, mut replies) = stub.chat().start();
    requests.send(Echo::text("hi")).await.unwrap();
    replies.next().await.unwrap();
    let report = server.shutdown(Duration::from_millis(10)).await;
    assert_eq!(report.calls_cut, 1);
    let closed = hears.lines_with("closed", 1).await;
    assert_eq!(closed, ["server closed: the server is shutting down"]);
    assert_eq!(hears.calls().await, ["/test.Echo/Chat ended Unavailable"]);
}

/// The head of a request, and in the same packet what ends its connection.
#[tokio::test]
async fn a_call_whose_connection_ends_before_its_message_is_told() {
    let hears = Hears::default();
    let server = echoes(&hears).start().await.unwrap();
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    let (path, kind) = (b"/test.Echo/Unary", b"application/grpc");
    let mut head = vec![0x83, 0x86, 0x04, u8::try_from(path.len()).unwrap()];
    head.extend_from_slice(path);
    // Index 31, with a prefix of four bits.
    head.extend_from_slice(&[0x0f, 16, u8::try_from(kind.len()).unwrap()]);
    head.extend_from_slice(kind);
    // HEADERS with END_HEADERS on stream 1, and DATA on stream 0, which breaks HTTP/2.
    bytes.extend_from_slice(&[0, 0, u8::try_from(head.len()).unwrap(), 1, 4, 0, 0, 0, 1]);
    bytes.extend_from_slice(&head);
    bytes.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let mut client = TcpStream::connect(&server.addresses()[0]).await.unwrap();
    client.write_all(&bytes).await.unwrap();
    let refused = hears.calls().await;
    assert_eq!(refused, ["/test.Echo/Unary refused Cancelled"]);
}

#[tokio::test]
async fn a_call_that_never_left_has_no_peer_and_is_told_once() {
    let hears = Hears::default();
    let (_channel, stub) = stub(&hears, nobody());
    call(&stub).await.unwrap_err();
    let ended = hears.calls().await;
    assert_eq!(ended, ["/test.Echo/Unary ended Unavailable without a peer"]);
}

/// What one observer does is no other's concern, nor the connection's.
#[tokio::test]
async fn an_observer_that_panics_stops_nothing() {
    struct Panics;
    impl Observer for Panics {
        fn connection_opened(&self, _connection: &ObservedConnection) {
            panic!("an observer's own");
        }
    }
    let hears = Hears::default();
    let server = Server::builder()
        .add_service(service(Echoes))
        .observe(Panics);
    let server = server.observe(hears.clone()).listen("127.0.0.1:0");
    let server = server.start().await.unwrap();
    call(&stub(&Hears::default(), &server.addresses()[0]).1)
        .await
        .unwrap();
    assert_eq!(hears.lines(1).await[0], "server opened");
}

#[tokio::test]
async fn steps_are_told_apart_in_code() {
    #[derive(Clone, Default)]
    struct Step(Arc<Mutex<Option<ConnectionStep>>>);
    impl Observer for Step {
        fn connection_failed(&self, failed: &FailedConnection<'_>) {
            *self.0.lock().unwrap() = Some(failed.step());
            assert!(failed.elapsed() < BOUND);
        }
    }
    let step = Step::default();
    let builder = Channel::builder(nobody()).unwrap().observe(step.clone());
    let stub = EchoStub(builder.build(ChannelCredentials::insecure()).unwrap());
    call(&stub).await.unwrap_err();
    assert_eq!(*step.0.lock().unwrap(), Some(ConnectionStep::Connect));
}
