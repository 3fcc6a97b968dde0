//! The tokens of retry throttling (gRFC A6), as servers see them: by the attempts that
//! they get. `SEEDS=10000` runs as many; a failure names its seed.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

#[path = "support/tokens.rs"]
mod model;
#[path = "support/seeds.rs"]
mod seeds;
mod support;

use std::time::Duration;

use grpc_runtime::{
    Channel, ChannelCredentials, Code, HedgingPolicy, Metadata, Method, MethodConfig, RetryPolicy,
    RetryThrottling, ServiceConfig, Status, UnaryCall,
};
use grpc_testing::{RecordedCall, Reply, Script};

use self::model::{Answer, CODES, Foreseen, Tokens};
use self::seeds::Dice;
use self::support::Fleet;

/// Has a retry policy.
const GET: Method = Method::unary("/shop.Orders/Get");
/// Has a hedging policy.
const FIND: Method = Method::unary("/shop.Orders/Find");
/// Has no policy.
const READ: Method = Method::unary("/shop.Orders/Read");

/// Has no policy, and succeeds.
const EARN: Method = Method::unary("/shop.Orders/Earn");
/// Has no policy, and its server says not to try again.
const SPEND: Method = Method::unary("/shop.Orders/Spend");
/// Has a retry policy of two attempts, and fails.
const PROBE: Method = Method::unary("/shop.Orders/Probe");

/// What is kept of a request; one of so many letters is too large.
const BUFFER: usize = 200;

const MS: Duration = Duration::from_millis(1);

fn retry(attempts: usize) -> MethodConfig {
    let policy = RetryPolicy::new(CODES).max_attempts(attempts as u32);
    MethodConfig::new().retry(policy.backoff(10 * MS, 2.0, 50 * MS))
}

fn throttling(tokens: &Tokens) -> RetryThrottling {
    let number = |thousandths| f64::from(u32::try_from(thousandths).unwrap()) / 1e3;
    RetryThrottling::new(number(tokens.most), number(tokens.ratio))
}

/// What a call said of the attempts before it.
fn previous(call: &RecordedCall) -> usize {
    let said = call.metadata().get("grpc-previous-rpc-attempts");
    said.map_or(0, |said| said.parse().unwrap())
}

/// Those of a channel in which all calls went well.
fn tokens(dice: &mut Dice) -> Tokens {
    let mosts = [1_000, 2_500, 3_000, 4_000, 10_000, 1_000_000];
    let ratios = [1, 100, 333, 500, 999, 1_000, 1_001, 2_500];
    let ratio = match dice.roll(16) {
        place @ 0..8 => ratios[place as usize],
        _ => 1 + dice.roll(1_500),
    };
    // What some failures and successes leave is often the half, or right beside it.
    let failures = 1_000 * (1 + dice.roll(6));
    let successes = ratio * dice.roll(6);
    let most = match dice.roll(16) {
        place @ 0..6 => mosts[place as usize],
        6..12 if failures > successes => 2 * (failures - successes) + dice.roll(3) - 1,
        _ => 1 + dice.roll(15_000),
    };
    Tokens::new(most, ratio)
}

/// A call that is yet to be made.
#[derive(Debug)]
struct Planned {
    before: Tokens,
    method: Method,
    is_large: bool,
    foreseen: Foreseen,
}

async fn one_after_another(seed: u64) {
    let mut dice = Dice::of(seed);
    let (retries, hedges) = (2 + dice.roll(5) as usize, 2 + dice.roll(5) as usize);
    let delay = [0, 30, 100][dice.roll(3) as usize];
    let config = |tokens: &Tokens| {
        let policy = HedgingPolicy::new(delay as u32 * MS).max_attempts(hedges as u32);
        let hedging = MethodConfig::new().hedging(policy.non_fatal_codes(CODES));
        ServiceConfig::builder()
            .method("shop.Orders", "Get", retry(retries))
            .method("shop.Orders", "Find", hedging)
            .retry_throttling(throttling(tokens))
            .build()
            .unwrap()
    };
    let first = tokens(&mut dice);
    let second = (dice.roll(4) == 0).then(|| tokens(&mut dice));
    // Policies that say more have 5 attempts.
    let (retries, hedges) = (retries.min(5), hedges.min(5));

    let mut left = first;
    let mut script = Script::new();
    let mut calls = Vec::new();
    let mut luck = 0;
    for number in 0..40 {
        if number % 8 == 0 {
            luck = dice.roll(8);
        }
        if number == 20
            && let Some(second) = second
        {
            left = second.rescaled(left);
        }
        let before = left;
        let method = [GET, GET, FIND, FIND, FIND, READ][dice.roll(6) as usize];
        let is_large = dice.roll(10) == 0;
        let has_policy = method.path() != READ.path();
        let foreseen = loop {
            let mut roll = || Answer::roll(&mut dice, luck);
            if is_large || !has_policy {
                break model::once(&mut left, roll(), has_policy);
            } else if method.path() == GET.path() {
                break model::retried(&mut left, retries, roll);
            } else if let Some(foreseen) = model::hedged(&mut left, hedges, delay, roll) {
                break foreseen;
            }
        };
        for answer in &foreseen.answers {
            script = script.on(method.path(), answer.reply());
        }
        calls.push(Planned {
            before,
            method,
            is_large,
            foreseen,
        });
    }

    let (fleet, builder) = Fleet::of([("shop", script.server())], config(&first)).await;
    let builder = builder.attempt_buffer(BUFFER, 1 << 20);
    let channel = builder.build(ChannelCredentials::insecure()).unwrap();
    let mut seen = 0;
    for (number, planned) in calls.iter().enumerate() {
        if number == 20
            && let Some(second) = &second
        {
            fleet.configs.send(config(second)).unwrap();
            tokio::time::sleep(10 * MS).await;
        }
        let request = "x".repeat(if planned.is_large { BUFFER } else { 1 });
        let call = UnaryCall::<String>::new(&channel, planned.method, &request);
        let ended = call.timeout(60_000 * MS).await;
        // What should not come any more has the time to.
        tokio::time::sleep(1_000 * MS).await;
        let attempts = script.calls().split_off(seen);
        seen += attempts.len();
        let attempts: Vec<usize> = attempts.iter().map(previous).collect();
        let expected: Vec<usize> = (0..planned.foreseen.answers.len()).collect();
        let code = ended.map_or_else(|status| status.code(), |_| Code::Ok);
        assert_eq!(
            (attempts, code),
            (expected, planned.foreseen.code),
            "call {number}, with {:?}: {planned:?}",
            planned.before
        );
    }
}

#[test]
fn calls_one_after_another_have_the_attempts_that_tokens_allow() {
    seeds::each(one_after_another);
}

/// A call of a storm.
struct Caller {
    channel: Channel,
    method: Method,
    id: String,
    waits: bool,
}

impl Caller {
    async fn call(self) -> (String, Method, Result<String, Status>) {
        let call = UnaryCall::<String>::new(&self.channel, self.method, &self.id);
        let call = call.metadata("x-id", &self.id).timeout(600_000 * MS);
        let ended = if self.waits {
            call.wait_for_ready().await
        } else {
            call.await
        };
        (self.id, self.method, ended)
    }
}

/// What the ends of calls, and what servers saw of them, tell of their attempts.
#[derive(Debug, Default)]
struct Tally {
    succeeded: u64,
    /// Attempts that take a token.
    failed: u64,
    /// Attempts but the first ones, whether a server saw them or not.
    further: u64,
    /// A call had fewer attempts than its policy says.
    is_held_back: bool,
}

impl Tally {
    /// A call of a method that may have so many attempts. A server has seen the attempt
    /// of the number `seen`, and none behind it.
    fn add(&mut self, ended: &Result<String, Status>, attempts: u64, seen: u64) {
        let Err(status) = ended else {
            self.succeeded += 1;
            self.failed += seen;
            self.further += seen;
            return;
        };
        let before = status.attempts().len().saturating_sub(1) as u64;
        assert!(seen <= before, "{seen}: {status}");
        self.further += before;
        self.failed += before;
        let said = status.metadata().get_all("grpc-retry-pushback-ms");
        let said: Vec<&str> = said.map(|said| said.as_str().unwrap()).collect();
        let stops = model::wait(&said).is_none();
        let is_repeatable = attempts > 1 && CODES.contains(&status.code());
        self.failed += u64::from(stops || is_repeatable);
        self.is_held_back |= is_repeatable && !stops && before + 1 < attempts;
    }
}

/// A channel whose tokens change one by one.
struct Till {
    channel: Channel,
    script: Script,
}

impl Till {
    async fn call(&self, method: Method, code: Code) {
        let call = UnaryCall::<String>::new(&self.channel, method, &String::new());
        let ended = call.wait_for_ready().timeout(60_000 * MS).await;
        let ended = ended.map_or_else(|status| status.code(), |_| Code::Ok);
        assert_eq!(ended, code, "{}", method.path());
    }

    async fn earn(&self) {
        self.call(EARN, Code::Ok).await;
    }

    async fn spend(&self) {
        self.call(SPEND, Code::Internal).await;
    }

    /// How many attempts a call has: the second one needs tokens behind a failure.
    async fn probe(&self) -> usize {
        let seen = self.script.calls_to(PROBE.path()).len();
        self.call(PROBE, Code::Unavailable).await;
        self.script.calls_to(PROBE.path()).len() - seen
    }
}

/// What methods answer in a storm, and what `Till` needs. OK is a matter of `luck`, and
/// responses have a head before their end or have none.
fn script(dice: &mut Dice, luck: u64, has_heads: bool) -> Script {
    let mut answer = || loop {
        let answer = Answer::roll(dice, luck);
        if !answer.hangs() && (has_heads || !answer.has_head()) {
            break answer.reply();
        }
    };
    let mut script = Script::new();
    for _ in 0..60 {
        script = script.on(GET.path(), answer());
        script = script.on(READ.path(), answer());
    }
    let stop = Metadata::from_pairs([("grpc-retry-pushback-ms", "-1")]).unwrap();
    let stop = Status::internal("no").with_metadata(stop);
    script
        .on(EARN.path(), Reply::message(&"done".to_owned()))
        .on(SPEND.path(), Reply::status(stop))
        .on(PROBE.path(), Reply::status(Status::unavailable("no")))
}

/// A dozen calls of methods that may have so many attempts, over a link that breaks, to
/// servers that come and go.
async fn storm(dice: &mut Dice, till: &Till, fleet: &mut Fleet, attempts: u64) -> Tally {
    let link = fleet.network.link("client", "shop");
    link.set_latency(dice.roll(5) as u32 * MS);
    link.set_jitter(dice.roll(5) as u32 * MS);
    let mut calls = Vec::new();
    for number in 0..12 {
        let caller = Caller {
            channel: till.channel.clone(),
            method: if number % 4 == 3 { READ } else { GET },
            id: format!("{number}"),
            waits: dice.roll(2) == 0,
        };
        calls.push(tokio::spawn(caller.call()));
        match dice.roll(30) {
            0..3 => link.cut(),
            3 => {
                link.cut();
                link.refuse();
                tokio::time::sleep(30 * MS).await;
                link.restore();
            }
            4 => {
                // What is on its way to the old one is sent again, and does not count.
                let new = fleet.network.bind("shop", till.script.server()).await;
                let old = std::mem::replace(&mut fleet.hosts[0], new.unwrap());
                tokio::spawn(old.shutdown(100 * MS));
            }
            _ => {}
        }
        tokio::time::sleep(dice.roll(4) as u32 * 5 * MS).await;
    }
    let mut tally = Tally::default();
    for call in calls {
        let (id, method, ended) = call.await.unwrap();
        let seen = till.script.calls_to(method.path());
        let is_its = |call: &&RecordedCall| call.metadata().get("x-id") == Some(&id);
        let seen = seen.iter().filter(is_its).map(previous).max();
        let attempts = if method == GET { attempts } else { 1 };
        tally.add(&ended, attempts, seen.unwrap_or(0) as u64);
    }
    // Both ends see by then that the last link was cut.
    tokio::time::sleep(1_000 * MS).await;
    tally
}

async fn all_at_once(seed: u64) {
    let mut dice = Dice::of(seed);
    let ratio = [1_000, 500, 250, 200][dice.roll(4) as usize];
    // There are `ahead` tokens above the half when the storm begins. A dozen calls leave
    // some, and do not fill them up, so that each end counts whatever the order.
    let (half, ahead) = (20 + dice.roll(5), 1 + dice.roll(6));
    let attempts = 2 + dice.roll(4);
    let luck = [0, 2, 4, 7][dice.roll(4) as usize];
    let has_heads = dice.roll(2) == 0;
    let script = script(&mut dice, luck, has_heads);
    let config = ServiceConfig::builder()
        .method("shop.Orders", "Get", retry(attempts as usize))
        .method("shop.Orders", "Probe", retry(2))
        .retry_throttling(throttling(&Tokens::new(2_000 * half, ratio)))
        .build()
        .unwrap();
    let (mut fleet, builder) = Fleet::of([("shop", script.server())], config).await;
    let builder = builder.reconnect_backoff(20 * MS, 50 * MS);
    let channel = builder.build(ChannelCredentials::insecure()).unwrap();
    let till = Till { channel, script };
    for _ in 0..half - ahead {
        till.spend().await;
    }
    let tally = storm(&mut dice, &till, &mut fleet, attempts).await;

    let (half, ahead) = (1_000 * half, 1_000 * ahead);
    let (earned, spent) = (ratio * tally.succeeded, 1_000 * tally.failed);
    // When the last further attempt was granted, more than the half was left; when one
    // was refused, no more than that.
    let further = 1_000 * tally.further;
    assert!(further < ahead + earned, "{ahead} and {earned}: {tally:?}");
    let was_refused = tally.is_held_back && !has_heads;
    assert!(!was_refused || spent >= ahead, "{ahead}: {tally:?}");

    let mut left = half + ahead + earned - spent;
    while left > half + 1_000 {
        till.spend().await;
        left -= 1_000;
    }
    while left < half + 1_000 {
        till.earn().await;
        left += ratio;
    }
    // A failure leaves the half, which is too little, and later the least above it.
    assert_eq!(till.probe().await, 1, "{tally:?}");
    for _ in 0..=1_000 / ratio {
        till.earn().await;
    }
    assert_eq!(till.probe().await, 2, "{tally:?}");
}

#[test]
fn calls_all_at_once_have_no_more_attempts_than_tokens_allow() {
    seeds::each(all_at_once);
}
