//! Calls under policies against servers that do anything, over links that break: what holds
//! for every seed. `SEEDS=10000` runs as many; a failure names its seed.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

#[path = "support/seeds.rs"]
mod seeds;

use std::collections::BTreeMap;
use std::time::Duration;

use grpc_runtime::{
    Channel, ChannelCredentials, ClientStreamingCall, Code, HedgingPolicy, Metadata, Method,
    MethodConfig, RetryPolicy, RetryThrottling, RoundRobin, ServiceConfig, Status, UnaryCall,
};
use grpc_testing::{Network, Reply, Script, no_leftovers};
use tokio::time::Instant;

use self::seeds::Dice;

const GET: Method = Method::unary("/shop.Orders/Get");
const IMPORT: Method = Method::client_streaming("/shop.Orders/Import");

const PROBE: Method = Method::client_streaming("/shop.Orders/Probe");

/// More than the calls of a storm send, which is 6 times 3 messages of 8 bytes.
const BUFFER: usize = 200;

const MS: Duration = Duration::from_millis(1);

fn time(dice: &mut Dice, longest: u64) -> Duration {
    Duration::from_millis(dice.roll(longest))
}

fn failure(dice: &mut Dice) -> Status {
    let code = [Code::Unavailable, Code::Unavailable, Code::Internal][dice.roll(3) as usize];
    let status = Status::new(code, "no");
    match dice.roll(6) {
        0 => {
            let said = ["-1", "0", "20", "soon"][dice.roll(4) as usize];
            let trailing = Metadata::from_pairs([("grpc-retry-pushback-ms", said)]).unwrap();
            status.with_metadata(trailing)
        }
        _ => status,
    }
}

fn reply(dice: &mut Dice) -> Reply {
    let delay = time(dice, 60);
    let reply = match dice.roll(8) {
        0..=2 => Reply::message(&"done".to_owned()),
        3 => Reply::hang(),
        4 => Reply::message(&"done".to_owned()).then_status(failure(dice)),
        _ => Reply::status(failure(dice)),
    };
    reply.delay(delay).after_requests(dice.roll(3) as usize)
}

struct Storm {
    most: usize,
    is_throttled: bool,
    config: ServiceConfig,
}

fn storm(dice: &mut Dice) -> Storm {
    let most = 2 + dice.roll(5) as u32;
    let method = if dice.roll(2) == 0 {
        let policy = RetryPolicy::new([Code::Unavailable]).max_attempts(most);
        MethodConfig::new().retry(policy.backoff(10 * MS, 2.0, 100 * MS))
    } else {
        let policy = HedgingPolicy::new(time(dice, 40)).max_attempts(most);
        MethodConfig::new().hedging(policy.non_fatal_codes([Code::Unavailable]))
    };
    let config = ServiceConfig::builder()
        .all(method)
        .balance(RoundRobin::new());
    let is_throttled = dice.roll(2) != 0;
    let config = if is_throttled {
        config.retry_throttling(RetryThrottling::new(10.0, 0.5))
    } else {
        config
    };
    Storm {
        is_throttled,
        most: most.min(5) as usize,
        config: config.build().unwrap(),
    }
}

/// One call, within its time, however it ends.
async fn call(channel: Channel, id: String, mut dice: Dice) {
    let timeout = 50 * MS + time(&mut dice, 400);
    let began = Instant::now();
    let ended = if dice.roll(2) == 0 {
        let get = UnaryCall::<String>::new(&channel, GET, &id).metadata("x-id", &id);
        get.timeout(timeout).await
    } else {
        let import = ClientStreamingCall::<String, String>::new(&channel, IMPORT);
        let mut upload = import.metadata("x-id", &id).timeout(timeout).start();
        for part in 0..dice.roll(4) {
            if upload.send(part.to_string()).await.is_err() {
                break;
            }
            tokio::time::sleep(time(&mut dice, 30)).await;
        }
        upload.finish().await
    };
    // Its own pauses are up to 30 ms.
    let most = timeout + 35 * MS;
    assert!(began.elapsed() <= most, "{:?}", began.elapsed());
    match ended {
        Ok(answer) => assert_eq!(answer, "done"),
        Err(status) => assert_ne!(status.code(), Code::Ok),
    }
}

/// A call that needs all of what the channel keeps for further attempts: it has a second
/// one only if nothing is left there of the calls before it.
async fn probe(channel: &Channel) {
    let call = ClientStreamingCall::<String, String>::new(channel, PROBE);
    let mut upload = call.wait_for_ready().timeout(600_000 * MS).start();
    let message = "x".repeat(BUFFER - 5 - 3);
    upload.send(message).await.unwrap();
    assert_eq!(upload.finish().await.unwrap(), "done");
}

async fn weather(seed: u64) {
    let mut dice = Dice::of(seed);
    let Storm {
        most,
        is_throttled,
        config,
    } = storm(&mut dice);
    let network = Network::new(seed);
    let (mut hosts, mut scripts) = (Vec::new(), Vec::new());
    for name in ["a", "b"] {
        let mut script = Script::new();
        for _ in 0..12 {
            script = script.on(GET.path(), reply(&mut dice));
            script = script.on(IMPORT.path(), reply(&mut dice));
        }
        let busy = Status::new(Code::Unavailable, "once");
        script = script.on(PROBE.path(), Reply::status(busy).after_requests(1));
        script = script.on(PROBE.path(), Reply::message(&"done".to_owned()));
        hosts.push(network.bind(name, script.server()).await.unwrap());
        scripts.push(script);
    }
    let channel = Channel::builder("passthrough:///a")
        .unwrap()
        .connector(network.connector("client"))
        .service_config(config)
        .attempt_buffer(BUFFER, BUFFER)
        .build(ChannelCredentials::insecure())
        .unwrap();
    let mut calls = Vec::new();
    for number in 0..6 {
        let dice = Dice::of(dice.roll(u64::from(u32::MAX)));
        calls.push(tokio::spawn(call(
            channel.clone(),
            format!("{number}"),
            dice,
        )));
        tokio::time::sleep(number % 3 * 10 * MS).await;
    }
    for _ in 0..dice.roll(3) {
        tokio::time::sleep(time(&mut dice, 60)).await;
        network.link("client", "a").cut();
    }
    for call in calls {
        call.await.unwrap();
    }
    if !is_throttled {
        probe(&channel).await;
    }
    drop(channel);
    no_leftovers(&network, Duration::from_secs(5)).await;

    let mut attempts: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    let calls = scripts.iter().flat_map(Script::calls);
    for call in calls.filter(|call| call.method() != PROBE.path()) {
        let said = call.metadata().get("grpc-previous-rpc-attempts");
        let number = said.map_or(0, |said| said.parse().unwrap());
        if call.method() == IMPORT.path() {
            // Each attempt is sent what the call has sent, from its beginning and in order.
            let sent: Vec<String> = call.requests().unwrap();
            let expected: Vec<String> = (0..sent.len()).map(|part| part.to_string()).collect();
            assert_eq!(sent, expected);
        }
        let id = call.metadata().get("x-id").unwrap().to_owned();
        attempts.entry(id).or_default().push(number);
    }
    for (id, mut numbers) in attempts {
        numbers.sort_unstable();
        // A transparent retry has the number of the attempt that it repeats.
        numbers.dedup();
        assert!(
            numbers.len() <= most,
            "call {id}: {numbers:?}, {most} at most"
        );
        assert!(
            *numbers.last().unwrap() < most as u32,
            "call {id}: {numbers:?}"
        );
    }
}

#[test]
fn whatever_the_weather() {
    seeds::each(weather);
}
