//! What is heard of a call, whatever becomes of it.

use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use grpc_runtime::{
    Address, BegunCall, BidiStreamingCall, ByteStream, CallObserver, Channel, Code, Compression,
    Connector, Context, EndedCall, Endpoint, ObservedMessage, Observer, OutgoingCall, Receiver,
    Resolution, Resolver, Sender, Server, Service, Status, Target, UnaryCall, Updates,
};
use grpc_testing::Script;

use crate::world::{CHAT, GET, MS, Orders, World, Writes, book, followed, get, open, orders};

#[tokio::test(start_paused = true)]
async fn a_unary_call_is_told_from_its_beginning_to_its_end_on_both_sides() {
    let server = Writes::default();
    let world = World::new(orders(&server)).await;
    let channel = open(world.builder());
    get(&channel, "go").await.unwrap();
    get(&channel, "rest").timeout(100 * MS).await.unwrap();
    let one = |time, elapsed: &str| {
        [
            format!("begun /shop.Orders/Get passthrough:///shop ann - {time}"),
            "attempt 0 after 0".to_owned(),
            format!("sent 0: {0} as {0}", if time { 6 } else { 4 }),
            "head Some(\"1\")".to_owned(),
            "received 0: 8 as 8".to_owned(),
            format!("attempt 0 ended Ok true 1/1 {elapsed}"),
            "ended Ok (0, 0, 0) 0ns".to_owned(),
        ]
    };
    let mut client = followed(&world.client);
    // The first one finds no connection.
    client.retain(|line| !line.starts_with("resolved") && !line.starts_with("picked"));
    assert_eq!(client, [one(false, "0ns"), one(true, "5ms")].concat());
    let first = [
        "begun /shop.Orders/Get - ann client false",
        "turn",
        "received 0: 4 as 4",
    ];
    let second = [
        "begun /shop.Orders/Get - ann client true",
        "turn",
        "received 0: 6 as 6",
    ];
    let end = [
        "turned",
        "head sent Some(\"1\")",
        "sent 0: 8 as 8",
        "ended Ok (0, 0, 0) 0ns",
    ];
    let waits = ["turned", "turn"];
    let expected = [&first[..], &end, &second, &waits, &end].concat();
    let expected: Vec<String> = expected.iter().map(|line| (*line).to_owned()).collect();
    let mut lines = followed(&server);
    // How often a handler that waits is polled is the runtime's affair.
    let second = lines
        .iter()
        .position(|line| line.ends_with("client true"))
        .unwrap();
    while lines[second..]
        .iter()
        .filter(|line| *line == "turn")
        .count()
        > 2
    {
        let turn = lines.iter().rposition(|line| line == "turn").unwrap();
        assert_eq!(lines.drain(turn - 1..=turn).next().unwrap(), "turned");
    }
    assert_eq!(lines, expected);
    drop(channel);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn each_message_of_a_stream_is_told_with_both_of_its_sizes() {
    let server = Writes::default();
    let builder = orders(&server).compression(Compression::Gzip);
    let world = World::new(builder).await;
    let channel = open(world.builder().compression(Compression::Gzip));
    let (mut sender, mut receiver) =
        BidiStreamingCall::<String, String>::new(&channel, CHAT).start();
    let long = "x".repeat(1_000);
    for message in [long.as_str(), "y"] {
        sender.send(message.to_owned()).await.unwrap();
        assert_eq!(receiver.next().await.unwrap().unwrap(), message);
    }
    sender.finish();
    assert!(receiver.next().await.unwrap().is_none());
    for writes in [&server, &world.client] {
        for way in ["sent", "received"] {
            let lines = writes.starting(&format!("{way} "));
            assert_eq!(lines.len(), 2, "{lines:?}");
            assert!(
                lines[0].starts_with(&format!("{way} 0: 1003 as ")),
                "{lines:?}"
            );
            let wire: usize = lines[0].rsplit(' ').next().unwrap().parse().unwrap();
            assert!(wire < 100, "{lines:?}");
            assert!(
                lines[1].starts_with(&format!("{way} 1: 3 as ")),
                "{lines:?}"
            );
        }
    }
    // One message each way.
    UnaryCall::<String>::new(&channel, GET, &long)
        .await
        .unwrap();
    let sent = world.client.starting("sent 0: 1003 as ");
    assert_eq!(sent.len(), 2);
    let received = server.starting("received 0: 1003 as ");
    assert_eq!(received.len(), 2);
    assert_eq!(sent[1].rsplit(' ').next(), received[1].rsplit(' ').next());
    let answer = world.client.starting("received 0: 8 as ");
    let sent = server.starting("sent 0: 8 as ");
    assert_eq!(
        answer[0].strip_prefix("received"),
        sent[0].strip_prefix("sent")
    );
    drop(channel);
    world.ends().await;
}

/// Gives the name's address after two seconds.
struct Slow;

impl Resolver for Slow {
    fn scheme(&self) -> &'static str {
        "slow"
    }

    async fn resolve(&self, _target: &Target, mut updates: Updates) {
        tokio::time::sleep(2_000 * MS).await;
        let address = Address::Other("shop".into());
        let _ = updates
            .send(Resolution::new([Endpoint::new(address)]))
            .await;
        pending::<()>().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_call_waited_for_is_told_apart() {
    let world = World::new(orders(&Writes::default())).await;
    let link = world.network.link("client", "shop");
    link.refuse();
    let builder = Channel::builder("slow:///shop").unwrap().resolver(Slow);
    let waits = Waits::default();
    let channel = open(
        builder
            .connector(world.network.connector("client"))
            .observe(waits.clone()),
    );
    let call = tokio::spawn(get(&channel, "go").wait_for_ready().into_future());
    tokio::time::sleep(2_500 * MS).await;
    link.restore();
    call.await.unwrap().unwrap();
    // The next one finds a connection.
    get(&channel, "go").await.unwrap();
    let waits = waits.0.lock().unwrap().clone();
    let [("name", name), ("connection", connection)] = waits[..] else {
        panic!("{waits:?}");
    };
    assert_eq!(name, 2_000 * MS);
    // The second attempt to connect comes after the backoff of a second.
    assert!(
        (500 * MS..=1_500 * MS).contains(&connection),
        "{connection:?}"
    );
    drop(channel);
    world.ends().await;
}

/// The waits alone: for the name, or for a connection.
#[derive(Clone, Default)]
struct Waits(Arc<Mutex<Vec<(&'static str, Duration)>>>);

impl Observer for Waits {
    fn call_begun(&self, _call: &BegunCall<'_>) -> Option<Box<dyn CallObserver>> {
        Some(Box::new(self.clone()))
    }
}

impl CallObserver for Waits {
    fn name_resolved(&mut self, waited: Duration) {
        self.0.lock().unwrap().push(("name", waited));
    }

    fn picked(&mut self, waited: Duration) {
        self.0.lock().unwrap().push(("connection", waited));
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_told_with_its_method_and_its_text_and_ends_the_turn() {
    let server = Writes::default();
    let world = World::new(orders(&server)).await;
    let channel = open(world.builder());
    let status = get(&channel, "panic").await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    assert!(!status.message().contains("part of a test"));
    let lines = followed(&server);
    let panicked = "panicked /shop.Orders/Get Some(\"this panic is part of a test\") true";
    assert!(lines.contains(&panicked.to_owned()), "{lines:?}");
    let count = |what: &str| lines.iter().filter(|line| *line == what).count();
    assert_eq!(count("turn"), count("turned"));
    assert_eq!(lines.last().unwrap(), "ended Internal (0, 0, 0) 0ns");
    drop(channel);
    world.ends().await;
}

/// Says when it is dropped, and drops itself badly.
struct Leaves(Writes);

impl CallObserver for Leaves {
    fn ended(&mut self, _call: &EndedCall<'_>) {
        self.0.push("ended");
    }

    fn message_received(&mut self, _message: &ObservedMessage) {
        self.0.push("received");
    }
}

impl Drop for Leaves {
    fn drop(&mut self) {
        self.0.push("dropped");
        panic!("this panic is part of a test");
    }
}

struct Lets(Writes);

impl Observer for Lets {
    fn call_begun(&self, _call: &BegunCall<'_>) -> Option<Box<dyn CallObserver>> {
        Some(Box::new(Leaves(self.0.clone())))
    }
}

#[tokio::test(start_paused = true)]
async fn followers_are_dropped_with_their_call_whatever_that_does() {
    let (at_client, at_server) = (Writes::default(), Writes::default());
    let server = orders(&Writes::default()).observe(Lets(at_server.clone()));
    let world = World::new(server).await;
    let builder = world.builder().observe(Lets(at_client.clone()));
    let channel = open(builder);
    for round in 1..3 {
        get(&channel, "go").await.unwrap();
        // No later call makes room for them.
        for writes in [&at_client, &at_server] {
            assert_eq!(writes.lines().len(), 3 * round, "{:?}", writes.lines());
            assert_eq!(writes.lines()[3 * round - 1], "dropped");
        }
    }
    drop(channel);
    world.ends().await;
}

/// Ends while its client still sends.
struct Hurries;

impl Hurries {
    async fn chat(
        &self,
        orders: &mut Receiver<String>,
        _replies: &mut Sender<String>,
        _context: &mut Context,
    ) -> Result<(), Status> {
        let _ = orders.next().await?;
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_heard_after_the_end() {
    let server = Writes::default();
    let service = Service::builder("shop.Orders", Arc::new(Hurries));
    let service = service.bidi_streaming(CHAT, Hurries::chat).build();
    let world = World::new(
        Server::builder()
            .add_service(service)
            .observe(server.clone()),
    )
    .await;
    let channel = open(world.builder());
    let (mut sender, mut receiver) =
        BidiStreamingCall::<String, String>::new(&channel, CHAT).start();
    sender.send("one".to_owned()).await.unwrap();
    assert!(receiver.next().await.unwrap().is_none());
    let _ = sender.send("two".to_owned()).await;
    tokio::time::sleep(MS).await;
    for writes in [&server, &world.client] {
        let lines = followed(writes);
        assert!(lines.last().unwrap().starts_with("ended Ok"), "{lines:?}");
    }
    drop(channel);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn what_followers_add_takes_the_place_of_the_calls_own() {
    let script = Script::new().on(GET.path(), book());
    let world = World::new(script.server()).await;
    let channel = open(world.builder());
    // As one has it that passes on what it was sent.
    let call = get(&channel, "go").metadata("x-trace", "of another");
    call.metadata("x-other", "1").await.unwrap();
    let calls = script.calls();
    let traces: Vec<_> = calls[0].metadata().get_all("x-trace").collect();
    assert_eq!(traces.len(), 1, "{traces:?}");
    assert_eq!(calls[0].metadata().get("x-trace"), Some("0"));
    assert_eq!(calls[0].metadata().get("x-user"), Some("ann"));
    assert_eq!(calls[0].metadata().get("x-other"), Some("1"));
    drop(channel);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_refused_ahead_of_a_connection_has_no_attempt() {
    struct Counts(Arc<Mutex<Vec<u32>>>);
    impl Observer for Counts {
        fn call_ended(&self, call: &EndedCall<'_>) {
            self.0.lock().unwrap().push(call.attempts());
        }
    }
    let counts = Arc::new(Mutex::new(Vec::new()));
    let world = World::new(orders(&Writes::default())).await;
    let builder = world.builder().observe(Counts(counts.clone()));
    let refuses = |call: &mut OutgoingCall| match call.metadata().get("x-bad") {
        None => Ok(()),
        Some(_) => Err(Status::permission_denied("no")),
    };
    let channel = open(builder.interceptor(refuses));
    get(&channel, "go")
        .metadata("x-bad", "1")
        .await
        .unwrap_err();
    get(&channel, "go").await.unwrap();
    assert_eq!(*counts.lock().unwrap(), [0, 1]);
    drop(channel);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn calls_that_no_observer_wants_are_not_told() {
    /// Wants calls while it is told so.
    #[derive(Clone, Default)]
    struct Picky(Writes, Arc<AtomicBool>);

    impl Observer for Picky {
        fn wants_calls(&self) -> bool {
            self.1.load(Ordering::Relaxed)
        }

        fn call_begun(&self, call: &BegunCall<'_>) -> Option<Box<dyn CallObserver>> {
            self.0.push(format!("{:?} begun", call.side()));
            None
        }

        fn call_ended(&self, call: &EndedCall<'_>) {
            self.0.push(format!("{:?} ended", call.side()));
        }
    }

    let picky = Picky::default();
    let service = Service::builder("shop.Orders", Arc::new(Orders)).unary(GET, Orders::get);
    let server = Server::builder()
        .add_service(service.build())
        .observe(picky.clone());
    let channel = Channel::builder("passthrough:///shop").unwrap();
    let direct = Pipe(server.listen_nowhere().start().await.unwrap());
    let channel = open(channel.connector(direct).observe(picky.clone()));
    get(&channel, "go").await.unwrap();
    assert_eq!(picky.0.lines(), Vec::<String>::new());
    picky.1.store(true, Ordering::Relaxed);
    get(&channel, "go").await.unwrap();
    let lines = picky.0.lines();
    for line in [
        "Client begun",
        "Server begun",
        "Server ended",
        "Client ended",
    ] {
        assert!(lines.contains(&line.to_owned()), "{lines:?}");
    }
}

/// A server without interceptors.
struct Pipe(Server);

impl Connector for Pipe {
    async fn connect(&self, _address: &Address) -> std::io::Result<ByteStream> {
        let (near, far) = tokio::io::duplex(4 << 10);
        self.0.serve_stream(ByteStream::new(far, "a pipe"));
        Ok(ByteStream::new(near, "a pipe"))
    }
}
