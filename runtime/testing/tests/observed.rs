//! Every call is over once for the observers of its channel and of its server, with the
//! code that it has there, however it ends: what holds for every seed. `SEEDS=10000` runs
//! as many; a failure names its seed.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

#[path = "support/seeds.rs"]
mod seeds;

use std::future::{IntoFuture, pending};
use std::io;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use grpc_runtime::prost::Message;
use grpc_runtime::{
    Address, BegunAttempt, BegunCall, BidiStreamingCall, ByteStream, CallCounts, CallObserver,
    Channel, ChannelCredentials, ChannelzRegistry, Code, Connector, Context, EndedAttempt,
    EndedCall, Method, Observer, Receiver, RefusedCall, Sender, Server, ServerBuilder,
    ServerSnapshot, Service, Status, UnaryCall,
};
use grpc_testing::{Host, Network, no_leftovers};

use self::seeds::Dice;

const GET: Method = Method::unary("/shop.Orders/Get");
const CHAT: Method = Method::bidi_streaming("/shop.Orders/Chat");
const MISSING: Method = Method::unary("/shop.Orders/Missing");

const MS: Duration = Duration::from_millis(1);
/// What the server takes, and a client that is narrow.
const LIMIT: usize = 1_000;

/// Which calls are over, and how: with a handler or without. What begins is balanced against
/// what ends.
#[derive(Clone, Default)]
struct Hears(Arc<Mutex<Vec<(&'static str, Code)>>>, Balance);

/// How many calls, attempts, followed calls and turns of handlers have begun and not ended.
#[derive(Clone, Default)]
struct Balance(Arc<[AtomicI64; 4]>);

impl Balance {
    fn change(&self, which: usize, by: i64) {
        self.0[which].fetch_add(by, Ordering::Relaxed);
    }

    fn left(&self) -> [i64; 4] {
        [CALLS, ATTEMPTS, FOLLOWED, TURNS].map(|which| self.0[which].load(Ordering::Relaxed))
    }
}

const CALLS: usize = 0;
const ATTEMPTS: usize = 1;
const FOLLOWED: usize = 2;
const TURNS: usize = 3;

/// Follows a call.
struct Follows(Balance);

impl CallObserver for Follows {
    fn turn_began(&mut self) {
        self.0.change(TURNS, 1);
    }

    fn turn_ended(&mut self) {
        self.0.change(TURNS, -1);
    }

    fn ended(&mut self, _call: &EndedCall<'_>) {
        self.0.change(FOLLOWED, -1);
    }
}

impl Hears {
    fn sorted(&self) -> Vec<(&'static str, Code)> {
        let mut heard = self.0.lock().unwrap().clone();
        heard.sort_by_key(|(how, code)| (*how, *code as i32));
        heard
    }
}

impl Observer for Hears {
    fn call_begun(&self, _call: &BegunCall<'_>) -> Option<Box<dyn CallObserver>> {
        self.1.change(CALLS, 1);
        self.1.change(FOLLOWED, 1);
        Some(Box::new(Follows(self.1.clone())))
    }

    fn attempt_begun(&self, _attempt: &BegunAttempt<'_>) {
        self.1.change(ATTEMPTS, 1);
    }

    fn attempt_ended(&self, _ended: &EndedAttempt<'_>) {
        self.1.change(ATTEMPTS, -1);
    }

    fn call_ended(&self, call: &EndedCall<'_>) {
        self.1.change(CALLS, -1);
        self.0.lock().unwrap().push(("ended", call.code()));
    }

    fn call_refused(&self, call: &RefusedCall<'_>) {
        let is_missing = call.path() == MISSING.path();
        assert_eq!(call.method().is_none(), is_missing);
        self.0
            .lock()
            .unwrap()
            .push(("refused", call.status().code()));
    }
}

/// Does what the request says.
struct Obeys;

async fn obey(order: &str) -> Result<(), Status> {
    match order {
        "fail" => Err(Status::not_found("no such order")),
        "panic" => panic!("this panic is part of a test"),
        "wait" => pending().await,
        "rest" => {
            tokio::time::sleep(5 * MS).await;
            Ok(())
        }
        _ => Ok(()),
    }
}

async fn get(_: &Obeys, order: String, context: &mut Context) -> Result<String, Status> {
    // INTERNAL_ERROR, CANCEL and REFUSED_STREAM of RFC 9113 section 7.
    let resets = [("reset", 2), ("cancel", 8), ("refuse", 7)];
    if let Some((_, code)) = resets.iter().find(|(name, _)| *name == order) {
        context.reset_stream(*code);
        return Err(Status::aborted("by a reset"));
    }
    obey(&order).await?;
    Ok("a book".repeat(if order == "much" { LIMIT } else { 1 }))
}

async fn chat(
    _: &Obeys,
    orders: &mut Receiver<String>,
    replies: &mut Sender<String>,
    _context: &mut Context,
) -> Result<(), Status> {
    while let Some(order) = orders.next().await? {
        obey(&order).await?;
        replies.send(order).await?;
    }
    Ok(())
}

fn server(hears: &Hears) -> ServerBuilder {
    let service = Service::builder("shop.Orders", Arc::new(Obeys))
        .unary(GET, get)
        .bidi_streaming(CHAT, chat);
    let server = Server::builder().max_receive_message_size(LIMIT);
    server.add_service(service.build()).observe(hears.clone())
}

fn unary<R: Message + Default>(channel: &Channel, order: &str) -> UnaryCall<R> {
    UnaryCall::new(channel, GET, &order.to_owned()).timeout(1_000 * MS)
}

fn code<T>(ended: Result<T, Status>) -> Code {
    ended.err().map_or(Code::Ok, |status| status.code())
}

/// One conversation of two orders; the caller leaves after so long.
async fn converse(channel: Channel, order: &'static str, leaves: Option<Duration>) -> Code {
    let call = BidiStreamingCall::<String, String>::new(&channel, CHAT).timeout(100 * MS);
    let (mut orders, mut replies) = call.start();
    let conversation = async {
        for order in ["go", order] {
            if orders.send(order.to_owned()).await.is_err() {
                break;
            }
        }
        orders.finish();
        loop {
            match replies.next().await {
                Ok(Some(_)) => {}
                ended => return code(ended),
            }
        }
    };
    match leaves {
        None => conversation.await,
        Some(after) => tokio::time::timeout(after, conversation)
            .await
            .unwrap_or(Code::Cancelled),
    }
}

/// What each observer has to hear of a call: of the channel, and of the server, for each time
/// that it has come there.
type Heard = (Code, Vec<(&'static str, Code)>);

/// One call of a kind, what its caller saw, and what is heard of it where nothing breaks.
async fn call(channel: Channel, kind: u64) -> (Code, Heard) {
    use Code::{
        Aborted, Cancelled, DeadlineExceeded, Internal, NotFound, Ok as Fine, ResourceExhausted,
        Unavailable, Unimplemented,
    };
    let ended = |code| vec![("ended", code)];
    let refused = |code| vec![("refused", code)];
    let large = "x".repeat(2 * LIMIT);
    let plain = |order: &str| unary::<String>(&channel, order).into_future();
    match kind {
        0 => (code(plain("go").await), (Fine, ended(Fine))),
        1 => (code(plain("rest").await), (Fine, ended(Fine))),
        2 => (code(plain("fail").await), (NotFound, ended(NotFound))),
        3 => (code(plain("panic").await), (Internal, ended(Internal))),
        4 => {
            let missing = UnaryCall::<String>::new(&channel, MISSING, &());
            (code(missing.await), (Unimplemented, refused(Unimplemented)))
        }
        5 => {
            let late = unary::<String>(&channel, "wait").timeout(40 * MS);
            (
                code(late.await),
                (DeadlineExceeded, ended(DeadlineExceeded)),
            )
        }
        6 => {
            let left = tokio::time::timeout(20 * MS, plain("wait")).await;
            (left.map_or(Cancelled, code), (Cancelled, ended(Cancelled)))
        }
        7 => {
            // A number where the method takes a text.
            let call = UnaryCall::<String>::new(&channel, GET, &7_u64).timeout(1_000 * MS);
            (code(call.await), (Internal, ended(Internal)))
        }
        8 => {
            let call = unary::<u64>(&channel, "go");
            (code(call.await), (Internal, ended(Fine)))
        }
        9 => (
            code(plain(&large).await),
            (ResourceExhausted, refused(ResourceExhausted)),
        ),
        10 => {
            let call = unary::<String>(&channel, "much").max_receive_message_size(LIMIT);
            (code(call.await), (ResourceExhausted, ended(Fine)))
        }
        11 => {
            let call = unary::<String>(&channel, &large).max_send_message_size(LIMIT);
            (code(call.await), (ResourceExhausted, Vec::new()))
        }
        12 => {
            let call = unary::<String>(&channel, "go").timeout(Duration::ZERO);
            (code(call.await), (DeadlineExceeded, Vec::new()))
        }
        13 => {
            let call = unary::<String>(&channel, "go").metadata("x-\n", "bad");
            (code(call.await), (Internal, Vec::new()))
        }
        14 => (converse(channel, "go", None).await, (Fine, ended(Fine))),
        15 => (
            converse(channel, "fail", None).await,
            (NotFound, ended(NotFound)),
        ),
        16 => (
            converse(channel, "panic", None).await,
            (Internal, ended(Internal)),
        ),
        17 => (
            converse(channel, "wait", None).await,
            (DeadlineExceeded, ended(DeadlineExceeded)),
        ),
        18 => (code(plain("reset").await), (Internal, ended(Aborted))),
        19 => (code(plain("cancel").await), (Cancelled, ended(Aborted))),
        20 => {
            // It is asked once more, since a server that refuses a stream has not looked.
            let twice = [ended(Aborted), ended(Aborted)].concat();
            (code(plain("refuse").await), (Unavailable, twice))
        }
        _ => (
            converse(channel, "wait", Some(20 * MS)).await,
            (Cancelled, ended(Cancelled)),
        ),
    }
}

const KINDS: u64 = 22;
/// Those that end before they have a stream.
const UNSENT: [u64; 3] = [11, 12, 13];

/// A server without an interceptor, to which each connection is a pipe.
#[derive(Clone)]
struct Direct(Arc<Mutex<Option<Server>>>);

impl Connector for Direct {
    async fn connect(&self, _address: &Address) -> io::Result<ByteStream> {
        let (near, far) = tokio::io::duplex(4 << 10);
        match &*self.0.lock().unwrap() {
            Some(server) => server.serve_stream(ByteStream::new(far, "a pipe")),
            None => return Err(io::ErrorKind::ConnectionRefused.into()),
        }
        Ok(ByteStream::new(near, "a pipe"))
    }
}

/// What the calls go to.
enum Other {
    /// What a network binds has an interceptor, by which it knows what is left over.
    Intercepted(Network, Host),
    Plain(Direct),
}

impl Other {
    fn breaks(&self) {
        match self {
            Self::Intercepted(network, _) => network.link("client", "shop").cut(),
            Self::Plain(direct) => drop(direct.0.lock().unwrap().take()),
        }
    }

    async fn ends(self) {
        match self {
            Self::Intercepted(network, host) => {
                drop(host);
                no_leftovers(&network, Duration::from_secs(5)).await;
            }
            Self::Plain(direct) => {
                let server = direct.0.lock().unwrap().take();
                if let Some(server) = server {
                    server.shutdown(Duration::from_secs(5)).await;
                }
                // What was dropped has its turn.
                tokio::time::sleep(Duration::from_secs(5)).await;
            }
        }
    }
}

async fn crowd(seed: u64) {
    let mut dice = Dice::of(seed);
    let (at_client, at_server) = (Hears::default(), Hears::default());
    let (is_intercepted, breaks) = (dice.roll(2) == 0, dice.roll(3) == 0);
    let registry = ChannelzRegistry::new();
    let server = server(&at_server).channelz(&registry);
    let builder = Channel::builder("passthrough:///shop").unwrap();
    let (other, builder) = if is_intercepted {
        let network = Network::new(seed);
        let host = network.bind("shop", server).await.unwrap();
        let builder = builder.connector(network.connector("client"));
        (Other::Intercepted(network, host), builder)
    } else {
        let server = server.listen_nowhere().start().await.unwrap();
        let direct = Direct(Arc::new(Mutex::new(Some(server))));
        (Other::Plain(direct.clone()), builder.connector(direct))
    };
    let channel = builder
        .observe(at_client.clone())
        .channelz(&registry)
        .build(ChannelCredentials::insecure())
        .unwrap();
    let mut calls = Vec::new();
    for _ in 0..12 {
        let kind = dice.roll(KINDS);
        calls.push((kind, tokio::spawn(call(channel.clone(), kind))));
        tokio::time::sleep(u32::try_from(dice.roll(8)).unwrap() * MS).await;
        if breaks && dice.roll(6) == 0 {
            other.breaks();
        }
    }
    let (mut seen, mut client, mut server) = (Vec::new(), Vec::new(), Vec::new());
    let kinds: Vec<u64> = calls.iter().map(|(kind, _)| *kind).collect();
    for (kind, call) in calls {
        let (saw, (at_client, mut at_server)) = call.await.unwrap();
        // Where a server has interceptors they see methods that it does not have.
        if is_intercepted && kind == 4 {
            at_server = vec![("ended", Code::Unimplemented)];
        }
        seen.push(("ended", saw));
        client.push(("ended", at_client));
        server.extend(at_server);
    }
    // Nothing is under way any more.
    tokio::time::sleep(5_000 * MS).await;
    let shown = (registry.channels().remove(0).calls(), registry.servers());
    drop(channel);
    other.ends().await;
    let sorted = |mut list: Vec<(&'static str, Code)>| {
        list.sort_by_key(|(how, code)| (*how, *code as i32));
        list
    };
    assert_eq!(at_client.sorted(), sorted(seen), "what callers saw");
    for hears in [&at_client, &at_server] {
        assert_eq!(hears.1.left(), [0; 4], "what has begun has ended");
    }
    if breaks {
        // Some never came, others came and were lost; none is heard of twice.
        assert!(at_server.sorted().len() <= server.len());
    } else {
        assert_eq!(at_client.sorted(), sorted(client));
        assert_eq!(at_server.sorted(), sorted(server));
    }
    counted(&kinds, breaks, &at_client, &at_server, shown);
}

/// What channelz shows is what the observers have heard.
fn counted(
    kinds: &[u64],
    breaks: bool,
    at_client: &Hears,
    at_server: &Hears,
    (channel, servers): (CallCounts, Vec<ServerSnapshot>),
) {
    let fine = |heard: &Hears| {
        let heard = heard.0.lock().unwrap();
        heard.iter().filter(|(_, code)| *code == Code::Ok).count() as u64
    };
    assert_eq!(channel.in_flight(), 0);
    // Of one that its caller could not decode the server said OK.
    let odd = kinds.iter().filter(|kind| **kind == 8).count() as u64;
    let unsent = kinds.iter().filter(|kind| UNSENT.contains(kind)).count() as u64;
    if breaks {
        assert!((fine(at_client)..=fine(at_client) + odd).contains(&channel.succeeded()));
    } else {
        assert_eq!(channel.succeeded(), fine(at_client) + odd);
        let twice = kinds.iter().filter(|kind| **kind == 20).count() as u64;
        assert_eq!(channel.started(), kinds.len() as u64 - unsent + twice);
        assert_eq!(channel.failed(), channel.started() - channel.succeeded());
    }
    // A server that was dropped shows nothing.
    for server in servers {
        assert_eq!(server.calls().in_flight(), 0);
        assert_eq!(
            server.calls().started(),
            at_server.0.lock().unwrap().len() as u64
        );
        assert_eq!(server.calls().succeeded(), fine(at_server));
    }
}

#[test]
fn every_call_is_over_once_whatever_becomes_of_it() {
    seeds::each(crowd);
}
