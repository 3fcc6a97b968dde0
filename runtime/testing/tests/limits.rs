//! A server's limits, each flooded while somebody else's calls go on, in paused time.
//! `SEEDS=10000` runs as many storms; a failure names its seed.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

#[path = "support/seeds.rs"]
mod seeds;

use std::future::IntoFuture;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use grpc_runtime::{
    BidiStreamingCall, CallLimit, Channel, ChannelCredentials, ClientStreamingCall, Code, Context,
    DeadlinePolicy, Method, MethodConfig, MethodLimits, Observer, Receiver, RefusedCall,
    RetryPolicy, Sender, Server, ServerError, ServerLimits, ServerStreamingCall, Service,
    ServiceConfig, Status, UnaryCall,
};
use grpc_testing::{Host, Network, no_leftovers};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use self::seeds::Dice;

const GET: Method = Method::unary("/shop.Orders/Get");
const LIST: Method = Method::server_streaming("/shop.Orders/List");
const IMPORT: Method = Method::client_streaming("/shop.Orders/Import");
const CHAT: Method = Method::bidi_streaming("/shop.Orders/Chat");
const PING: Method = Method::unary("/shop.Stock/Ping");

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// How many handlers read a stream.
#[derive(Default)]
struct Imports(AtomicUsize);

/// Takes as many tenths of a second as its request is long, or does as it is told.
async fn get(_: &Imports, request: String, context: &mut Context) -> Result<String, Status> {
    match request.as_str() {
        "panic" => panic!("as it was asked to"),
        "reset" => context.reset_stream(8),
        "time" => return Ok(format!("{:?}", context.time_remaining())),
        "large" => return Ok("x".repeat(10_000)),
        text => sleep(text.len() as u32 * SECOND / 10).await,
    }
    Ok(request)
}

async fn list(
    _: &Imports,
    request: String,
    replies: &mut Sender<String>,
    _context: &mut Context,
) -> Result<(), Status> {
    for _ in 0..3 {
        sleep(20 * MS).await;
        replies.send(request.clone()).await?;
    }
    Ok(())
}

async fn import(
    imports: &Imports,
    requests: &mut Receiver<String>,
    _context: &mut Context,
) -> Result<String, Status> {
    imports.0.fetch_add(1, Ordering::Relaxed);
    while requests.next().await?.is_some() {}
    Ok(String::new())
}

async fn chat(
    _: &Imports,
    requests: &mut Receiver<String>,
    replies: &mut Sender<String>,
    _context: &mut Context,
) -> Result<(), Status> {
    while let Some(request) = requests.next().await? {
        replies.send(request).await?;
    }
    Ok(())
}

async fn ping((): &(), request: String, _context: &mut Context) -> Result<String, Status> {
    Ok(request)
}

fn orders(imports: &Arc<Imports>) -> Service {
    Service::builder("shop.Orders", Arc::clone(imports))
        .unary(GET, get)
        .server_streaming(LIST, list)
        .client_streaming(IMPORT, import)
        .bidi_streaming(CHAT, chat)
        .build()
}

fn stock() -> Service {
    Service::builder("shop.Stock", Arc::new(()))
        .unary(PING, ping)
        .build()
}

/// The refusals that observers heard of.
#[derive(Clone, Default)]
struct Refusals(Arc<Mutex<Vec<(String, Code)>>>);

impl Observer for Refusals {
    fn call_refused(&self, call: &RefusedCall<'_>) {
        let refusal = (call.path().to_owned(), call.status().code());
        self.0.lock().unwrap().push(refusal);
    }
}

impl Refusals {
    fn take(&self) -> Vec<(String, Code)> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

struct World {
    network: Network,
    refusals: Refusals,
    imports: Arc<Imports>,
    #[expect(dead_code, reason = "it keeps the server")]
    host: Host,
}

async fn world(limits: ServerLimits) -> World {
    let (network, refusals) = (Network::new(7), Refusals::default());
    let imports = Arc::<Imports>::default();
    let server = Server::builder()
        .add_service(orders(&imports))
        .add_service(stock())
        .observe(refusals.clone())
        .limits(limits);
    World {
        host: network.bind("shop", server).await.unwrap(),
        network,
        refusals,
        imports,
    }
}

impl World {
    fn channel(&self, from: &str) -> Channel {
        let builder = Channel::builder("passthrough:///shop").unwrap();
        let builder = builder.connector(self.network.connector(from));
        builder.build(ChannelCredentials::insecure()).unwrap()
    }
}

/// As long a text as the handler takes tenths of a second.
fn tenths(count: usize) -> String {
    "x".repeat(count)
}

fn call(channel: &Channel, method: Method, request: &str) -> UnaryCall<String> {
    UnaryCall::new(channel, method, &request.to_owned()).timeout(600 * SECOND)
}

type Answer = JoinHandle<Result<String, Status>>;

fn flood(channel: &Channel, calls: usize, request: &str) -> Vec<Answer> {
    let spawn = |_| tokio::spawn(call(channel, GET, request).into_future());
    (0..calls).map(spawn).collect()
}

async fn codes(answers: Vec<Answer>) -> Vec<Code> {
    let mut codes = Vec::new();
    for answer in answers {
        let answer = timeout(3_600 * SECOND, answer).await.unwrap();
        codes.push(
            answer
                .unwrap()
                .map_or_else(|status| status.code(), |_| Code::Ok),
        );
    }
    codes
}

fn count(codes: &[Code], code: Code) -> usize {
    codes.iter().filter(|found| **found == code).count()
}

/// A flood of one method, and how long a victim's calls to another take at the most
/// meanwhile.
async fn flooded(limits: ServerLimits) -> (Vec<Code>, Vec<(String, Code)>, Duration) {
    let world = world(limits).await;
    let (attacker, victim) = (world.channel("attacker"), world.channel("victim"));
    call(&victim, PING, "hello").await.unwrap();
    let answers = flood(&attacker, 100, &tenths(10));
    let mut longest = Duration::ZERO;
    for _ in 0..50 {
        let began = Instant::now();
        call(&victim, PING, "hello").await.unwrap();
        longest = longest.max(began.elapsed());
        sleep(10 * MS).await;
    }
    let codes = codes(answers).await;
    let refusals = world.refusals.take();
    drop((attacker, victim));
    no_leftovers(&world.network, SECOND).await;
    (codes, refusals, longest)
}

#[tokio::test(start_paused = true)]
async fn a_method_that_is_flooded_leaves_the_others_alone() {
    let limit = CallLimit::new(5).queue(10);
    let of_method = MethodLimits::new().calls(limit);
    let of_service = of_method.clone();
    for limits in [
        ServerLimits::new().method("shop.Orders/Get", of_method.clone()),
        ServerLimits::new().method(GET.path(), of_method),
        ServerLimits::new().service("shop.Orders", of_service),
    ] {
        let (codes, refusals, longest) = flooded(limits).await;
        assert_eq!(count(&codes, Code::Ok), 15);
        assert_eq!(count(&codes, Code::ResourceExhausted), 85);
        // Who was refused is seen, by its method.
        assert_eq!(refusals.len(), 85);
        let refusal = (GET.path().to_owned(), Code::ResourceExhausted);
        assert!(refusals.iter().all(|refused| *refused == refusal));
        assert_eq!(longest, Duration::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_flooded_refuses_all_alike_and_a_methods_own_limit_keeps_room() {
    let world = world(ServerLimits::new().calls(CallLimit::new(5).unavailable())).await;
    let channel = world.channel("client");
    let answers = flood(&channel, 50, &tenths(10));
    sleep(SECOND / 2).await;
    let status = call(&channel, PING, "hello").await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().starts_with("the server has as many calls"));
    assert_eq!(count(&codes(answers).await, Code::Ok), 5);
    call(&channel, PING, "hello").await.unwrap();

    let narrow = MethodLimits::new().calls(CallLimit::new(4));
    let limits = ServerLimits::new()
        .calls(CallLimit::new(5))
        .service("shop.Orders", narrow);
    let (codes, _, longest) = flooded(limits).await;
    assert_eq!(count(&codes, Code::Ok), 4);
    assert_eq!(longest, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_served_in_turn_and_leaves_the_line_with_its_deadline() {
    let limit = CallLimit::new(1).queue(100);
    let limits = ServerLimits::new().method(GET.path(), MethodLimits::new().calls(limit));
    let world = world(limits).await;
    let channel = world.channel("client");
    let began = Instant::now();
    let ended = Arc::new(Mutex::new(Vec::new()));
    let get = |name: &'static str, limit: Duration| {
        let call = call(&channel, GET, &tenths(10)).timeout(limit);
        let ended = Arc::clone(&ended);
        tokio::spawn(async move {
            let code = call.await.map_or_else(|status| status.code(), |_| Code::Ok);
            let after = (began.elapsed() + SECOND / 2).as_secs();
            ended.lock().unwrap().push((name, after, code));
        })
    };
    let mut calls = Vec::new();
    for (name, limit) in [
        ("first", 60 * SECOND),
        ("second", 60 * SECOND),
        ("impatient", 2 * SECOND + SECOND / 2),
        ("given up", 60 * SECOND),
        ("third", 60 * SECOND),
    ] {
        calls.push(get(name, limit));
        sleep(10 * MS).await;
    }
    // The impatient one has its place for half a second.
    let given_up = calls.remove(3);
    given_up.abort();
    for call in calls {
        call.await.unwrap();
    }
    let ended = std::mem::take(&mut *ended.lock().unwrap());
    let expected = [
        ("first", 1, Code::Ok),
        ("second", 2, Code::Ok),
        ("impatient", 3, Code::DeadlineExceeded),
        ("third", 4, Code::Ok),
    ];
    // 2.52 s, and 3.52 s.
    assert_eq!(ended, expected);
    assert!(world.refusals.take().is_empty());
}

/// Some clients say nothing before the response's head is there.
#[tokio::test(start_paused = true)]
async fn a_conversation_that_waited_in_line_has_its_head_before_its_first_message() {
    let calls = CallLimit::new(1).queue(1);
    let world = world(ServerLimits::new().method(CHAT.path(), MethodLimits::new().calls(calls)));
    let world = world.await;
    let channel = world.channel("client");
    let converse = || BidiStreamingCall::<String, String>::new(&channel, CHAT).start();
    let (first, mut of_first) = converse();
    of_first.initial_metadata().await.unwrap();
    let (mut second, mut of_second) = converse();
    sleep(SECOND).await;
    drop((first, of_first));
    let head = timeout(SECOND, of_second.initial_metadata());
    head.await.expect("it waits for a message").unwrap();
    second.send("hello".to_owned()).await.unwrap();
    assert_eq!(of_second.next().await.unwrap().unwrap(), "hello");
    second.finish();
    assert_eq!(of_second.next().await.unwrap(), None);
    drop(channel);
    no_leftovers(&world.network, 5 * SECOND).await;
}

#[tokio::test(start_paused = true)]
async fn who_is_told_when_to_come_back_does_and_is_served() {
    let limit = CallLimit::new(1).unavailable().retry_after(5 * SECOND);
    let world = world(ServerLimits::new().calls(limit)).await;
    let policy = RetryPolicy::new([Code::Unavailable]).backoff(MS, 1.0, MS);
    let config = ServiceConfig::builder().all(MethodConfig::new().retry(policy));
    let channel = Channel::builder("passthrough:///shop")
        .unwrap()
        .connector(world.network.connector("client"))
        .service_config(config.build().unwrap())
        .build(ChannelCredentials::insecure())
        .unwrap();
    let busy = flood(&channel, 1, &tenths(10));
    sleep(SECOND / 2).await;
    let began = Instant::now();
    call(&channel, PING, "hello").await.unwrap();
    assert_eq!(began.elapsed(), 5 * SECOND);
    assert_eq!(codes(busy).await, [Code::Ok]);
    assert_eq!(world.refusals.take().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn deadlines_are_what_the_policy_makes_of_them() {
    let policy = DeadlinePolicy::new()
        .assumed(10 * SECOND)
        .at_least(SECOND)
        .at_most(60 * SECOND);
    let endless = MethodLimits::new().deadlines(DeadlinePolicy::new());
    let limits = ServerLimits::new().deadlines(policy);
    for (limits, expected) in [
        (
            limits.clone(),
            [
                Ok("Some(10s)"),
                Err(Code::DeadlineExceeded),
                Ok("Some(60s)"),
            ],
        ),
        (
            limits.service("shop.Orders", endless),
            [Ok("None"), Ok("Some(100ms)"), Ok("Some(3600s)")],
        ),
    ] {
        let world = world(limits).await;
        let channel = world.channel("client");
        let timeouts = [None, Some(100 * MS), Some(3_600 * SECOND)];
        for (timeout, expected) in timeouts.into_iter().zip(expected) {
            let call: UnaryCall<String> = UnaryCall::new(&channel, GET, &"time".to_owned());
            let answer = match timeout {
                Some(timeout) => call.timeout(timeout).await,
                None => call.await,
            };
            let answer = answer.map_err(|status| status.code());
            let expected = expected.map(str::to_owned);
            assert_eq!(answer, expected, "{timeout:?}");
        }
        let refused = world.refusals.take();
        assert_eq!(refused.len(), usize::from(expected[1].is_err()));
        // Whose time is up by the policy is told so by the server.
        let call: UnaryCall<String> = UnaryCall::new(&channel, GET, &tenths(200));
        let began = Instant::now();
        let answer = call.await.map_err(|status| status.code());
        match expected[1] {
            Ok(_) => assert!(answer.is_ok(), "{answer:?}"),
            Err(code) => {
                assert_eq!((answer, began.elapsed()), (Err(code), 10 * SECOND));
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_methods_messages_have_limits_of_their_own() {
    let of_method = MethodLimits::new()
        .max_receive_message_size(100)
        .max_send_message_size(5_000);
    let limits = ServerLimits::new()
        .service(
            "shop.Stock",
            MethodLimits::new().max_receive_message_size(50),
        )
        .method(GET.path(), of_method);
    let world = world(limits).await;
    let channel = world.channel("client");
    let answer = async |method, size: usize| {
        let answer = call(&channel, method, &"y".repeat(size)).await;
        answer.map_or_else(|status| status.code(), |_| Code::Ok)
    };
    assert_eq!(answer(GET, 90).await, Code::Ok);
    assert_eq!(answer(GET, 101).await, Code::ResourceExhausted);
    assert_eq!(answer(PING, 40).await, Code::Ok);
    assert_eq!(answer(PING, 51).await, Code::ResourceExhausted);
    let status = call(&channel, GET, "large").await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    // A stream's other methods have the server's.
    let list = ServerStreamingCall::<String>::new(&channel, LIST, &"y".repeat(6_000));
    let mut replies = list.timeout(SECOND).start();
    assert_eq!(replies.next().await.unwrap().unwrap().len(), 6_000);
}

#[tokio::test(start_paused = true)]
async fn a_connection_has_its_calls_and_then_another_one_has_them() {
    let world = world(ServerLimits::new().calls_per_connection(10)).await;
    let channel = world.channel("client");
    for _ in 0..200 {
        call(&channel, PING, "hello").await.unwrap();
        sleep(MS).await;
    }
    let made = world.network.link("client", "shop").connections_made();
    // 9 to 11 each, and those that were on their way.
    assert!((15..=23).contains(&made), "{made}");
    // Many at once lose none either.
    let answers = flood(&channel, 100, "");
    assert_eq!(count(&codes(answers).await, Code::Ok), 100);
}

#[tokio::test(start_paused = true)]
async fn connections_beyond_the_limit_are_closed_and_the_others_live() {
    let world = world(ServerLimits::new().connections(3)).await;
    let victim = world.channel("victim");
    call(&victim, PING, "hello").await.unwrap();
    let channels: Vec<_> = (0..20)
        .map(|turn| world.channel(&format!("attacker {turn}")))
        .collect();
    let mut served = Vec::new();
    for channel in channels {
        match call(&channel, PING, "hello").await {
            Ok(_) => served.push(channel),
            Err(status) => assert_eq!(status.code(), Code::Unavailable, "{status}"),
        }
        call(&victim, PING, "hello").await.unwrap();
    }
    assert_eq!(served.len(), 2);
    // A place that is left is another one's.
    served.pop();
    sleep(SECOND).await;
    call(&world.channel("friend"), PING, "hello").await.unwrap();
}

#[tokio::test]
async fn a_limit_of_nothing_is_a_mistake() {
    let one = MethodLimits::new().calls(CallLimit::new(1));
    for (limits, name) in [
        (
            ServerLimits::new().service("shop.Order", one.clone()),
            "shop.Order",
        ),
        (
            ServerLimits::new().method("/shop.Orders/Gets", one),
            "shop.Orders/Gets",
        ),
    ] {
        let server = Server::builder()
            .add_service(orders(&Arc::default()))
            .limits(limits);
        let error = server.listen_nowhere().start().await.unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
        assert!(matches!(error, ServerError::NothingToLimit(told) if told == name));
    }
}

/// Ends a call in one of the ways that there are.
async fn end_somehow(dice: &mut Dice, channel: &Channel) {
    let time = |dice: &mut Dice| Duration::from_millis(dice.roll(400));
    match dice.roll(8) {
        0 => drop(call(channel, GET, "panic").await),
        1 => drop(call(channel, GET, "reset").await),
        2 => drop(call(channel, GET, &tenths(3)).timeout(time(dice)).await),
        3 => drop(timeout(time(dice), call(channel, GET, &tenths(3)).into_future()).await),
        4 => {
            let list = ServerStreamingCall::<String>::new(channel, LIST, &String::new());
            let mut replies = list.timeout(SECOND).start();
            let _ = timeout(time(dice), replies.next()).await;
        }
        5 => {
            let import = ClientStreamingCall::<String, String>::new(channel, IMPORT);
            let mut import = import.timeout(SECOND).start();
            let _ = import.send("one".to_owned()).await;
            sleep(time(dice)).await;
            if dice.roll(2) == 0 {
                let _ = import.finish().await;
            }
        }
        _ => drop(call(channel, GET, &tenths(dice.roll(3) as usize)).await),
    }
}

#[test]
fn every_place_comes_back_however_calls_end() {
    seeds::each(async |seed| {
        let mut dice = Dice::of(seed);
        let most = 1 + dice.roll(4) as usize;
        let limit = CallLimit::new(most).queue(dice.roll(6) as usize);
        let mut limits = ServerLimits::new().calls(limit);
        if dice.roll(2) == 0 {
            let narrow = CallLimit::new(1 + dice.roll(3) as usize).queue(dice.roll(3) as usize);
            limits = limits.method(GET.path(), MethodLimits::new().calls(narrow));
        }
        let world = world(limits).await;
        let link = world.network.link("client", "shop");
        link.set_latency(Duration::from_millis(dice.roll(10)));
        let channel = world.channel("client");
        let calls = 10 + dice.roll(20);
        let mut storm = Vec::new();
        for call in 0..calls {
            let (channel, mut own) = (channel.clone(), Dice::of(seed * 1_000 + call));
            storm.push(tokio::spawn(async move {
                sleep(Duration::from_millis(own.roll(500))).await;
                end_somehow(&mut own, &channel).await;
            }));
            if dice.roll(30) == 0 {
                sleep(Duration::from_millis(dice.roll(300))).await;
                link.cut();
            }
        }
        for call in storm {
            call.await.unwrap();
        }
        sleep(10 * SECOND).await;
        // As many imports as there are places, each of which holds one: all have a handler.
        world.imports.0.store(0, Ordering::Relaxed);
        let channel = world.channel("judge");
        let import = || ClientStreamingCall::<String, String>::new(&channel, IMPORT);
        let mut imports: Vec<_> = (0..most)
            .map(|_| import().timeout(60 * SECOND).start())
            .collect();
        sleep(SECOND).await;
        for import in &mut imports {
            import.send("one".to_owned()).await.unwrap();
        }
        sleep(SECOND).await;
        assert_eq!(world.imports.0.load(Ordering::Relaxed), most);
        for import in imports {
            import.finish().await.unwrap();
        }
    });
}
