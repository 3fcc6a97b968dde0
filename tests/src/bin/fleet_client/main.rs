//! Our client in front of several servers: repeats unary calls that ask who answers,
//! and tells in lines of JSON who did, with which codes, and how long it took.
//!
//! - `--target=T`: where to call.
//! - `--balance=pick_first|round_robin`: the policy; `pick_first` unless set.
//! - `--service_config_json=J`: the channel's service config, whose policy goes before
//!   `--balance`.
//! - `--service_config_from_dns`: as the channel's option; off unless set.
//! - `--hash_key_header=K`: call n carries the metadata K with `key-n`.
//! - `--calls=N`: how many there are in all; 1000 unless set, and without an end with
//!   `--seconds` or `--until_eof`.
//! - `--seconds=S`: no call begins later; and a line is printed each second.
//! - `--until_eof`: no call begins once standard input has ended.
//! - `--per_line=N`: a line is printed after each N calls.
//! - `--concurrency=C`: the calls at once; 1 unless set.
//! - `--channels=N`: they take turns on as many channels, each with connections of its
//!   own; 1 unless set.
//! - `--timeout_ms=MS`: what a call may take, in milliseconds; 20,000 unless set.
//! - `--wait_for_ready`: calls wait for a connection.
//! - `--keepalive_ms=MS` and `--keepalive_timeout_ms=MS`: as the channel's options, which
//!   raise them to 10 s and to 1 s; no keepalive unless set.
//! - `--max_resolution_age_ms=MS`: as the channel's option, which raises it to 1 s; none
//!   unless set.
//! - `--servers=N`: calls are made, and not counted, until as many different servers
//!   have answered.
//! - `--states`: makes no calls, but connects, and prints a line for each state of the
//!   channel, until standard input has ended.
//!
//! A line: `{"servers":{"a":334},"codes":{"OK":334},"attempts":334,"p50_us":90,"p99_us":200,
//! "p999_us":300,"longest_us":400}`. The times are microseconds: the percentiles of the calls that ended
//! with OK, the longest of all. Each line is of the calls since the line before, and has
//! their number as `"part"`; the last is of all.

mod tally;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use grpc_runtime::{
    Channel, ChannelCredentials, ConnectivityState, RoundRobin, ServiceConfig, Status,
};
use grpc_tests::flags::Flags;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::tally::Tallies;

grpc_runtime::include_proto!("grpc.testing");

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// How long all servers may take until each has answered once.
const MEETING: Duration = Duration::from_secs(20);

/// Where the service config comes from.
enum Config {
    Nowhere,
    Flag(ServiceConfig),
    Dns,
}

/// What the flags ask for.
struct Plan {
    target: String,
    balance: String,
    config: Config,
    hash_key_header: String,
    calls: u64,
    seconds: u64,
    until_eof: bool,
    per_line: u64,
    concurrency: usize,
    channels: usize,
    timeout: Duration,
    wait_for_ready: bool,
    keepalive: Duration,
    keepalive_timeout: Duration,
    max_resolution_age: Duration,
    servers: usize,
    states: bool,
}

/// A time in milliseconds, or without an end where it is not set.
fn limit(flags: &mut Flags, name: &str) -> Result<Duration, Failure> {
    Ok(match flags.take(name, 0)? {
        0 => Duration::MAX,
        time => Duration::from_millis(time),
    })
}

impl Plan {
    fn take(flags: &mut Flags) -> Result<Self, Failure> {
        let seconds = flags.take("seconds", 0)?;
        let until_eof = flags.take("until_eof", false)?;
        let calls = if seconds > 0 || until_eof {
            u64::MAX
        } else {
            1000
        };
        let json = flags.take("service_config_json", String::new())?;
        let config = match (flags.take("service_config_from_dns", false)?, &*json) {
            (false, "") => Config::Nowhere,
            (false, json) => Config::Flag(ServiceConfig::from_json(json)?),
            (true, "") => Config::Dns,
            (true, _) => return Err("one service config: by JSON or from DNS".into()),
        };
        let plan = Self {
            config,
            hash_key_header: flags.take("hash_key_header", String::new())?,
            target: flags.take("target", String::new())?,
            balance: flags.take("balance", "pick_first".to_owned())?,
            calls: flags.take("calls", calls)?,
            seconds,
            until_eof,
            per_line: flags.take("per_line", 0)?,
            concurrency: flags.take("concurrency", 1)?,
            channels: flags.take("channels", 1)?,
            timeout: Duration::from_millis(flags.take("timeout_ms", 20_000)?),
            wait_for_ready: flags.take("wait_for_ready", false)?,
            keepalive: limit(flags, "keepalive_ms")?,
            keepalive_timeout: Duration::from_millis(flags.take("keepalive_timeout_ms", 20_000)?),
            max_resolution_age: limit(flags, "max_resolution_age_ms")?,
            servers: flags.take("servers", 0)?,
            states: flags.take("states", false)?,
        };
        if plan.channels == 0 || plan.concurrency == 0 {
            return Err("--channels and --concurrency: 1 at the least".into());
        }
        Ok(plan)
    }

    fn channel(&self) -> Result<Channel, Failure> {
        let builder = Channel::builder(&self.target)?
            .keepalive_time(self.keepalive)
            .keepalive_timeout(self.keepalive_timeout)
            .max_resolution_age(self.max_resolution_age);
        let builder = match &*self.balance {
            "pick_first" => builder,
            "round_robin" => builder.balance(RoundRobin::new()),
            other => return Err(format!("--balance={other}: not a policy").into()),
        };
        let builder = match &self.config {
            Config::Nowhere => builder,
            Config::Flag(config) => builder.service_config(config.clone()),
            Config::Dns => builder.service_config_from_dns(),
        };
        Ok(builder.build(ChannelCredentials::insecure())?)
    }

    /// Makes the call of this number, and gives the name of the server.
    async fn call(&self, channel: &Channel, number: u64) -> Result<String, Status> {
        let request = SimpleRequest {
            fill_server_id: true,
            ..SimpleRequest::default()
        };
        let stub = TestServiceStub::new(channel.clone());
        let mut call = stub.unary_call(request).timeout(self.timeout);
        if self.wait_for_ready {
            call = call.wait_for_ready();
        }
        if !self.hash_key_header.is_empty() {
            call = call.metadata(&self.hash_key_header, &format!("key-{number}"));
        }
        Ok(call.await?.server_id)
    }

    /// Returns once as many servers have answered on the channel as are asked for.
    async fn meet(&self, channel: &Channel) -> Result<(), Failure> {
        let (began, mut met) = (Instant::now(), BTreeSet::new());
        while met.len() < self.servers {
            if began.elapsed() > MEETING {
                let count = self.servers;
                return Err(format!("of {count} servers only {met:?} answered").into());
            }
            match self.call(channel, met.len() as u64).await {
                Ok(server) => drop(met.insert(server)),
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
        Ok(())
    }

    /// Calls until the flags say that it is enough.
    async fn run(self, channels: Vec<Channel>, over: watch::Receiver<bool>) -> Result<(), Failure> {
        let seconds = self.seconds;
        let plan = Arc::new(self);
        let tallies = Arc::new(Mutex::new(Tallies::new(plan.per_line)));
        let begun = Arc::new(AtomicU64::new(0));
        let began = Instant::now();
        let mut callers = JoinSet::new();
        for number in 0..plan.concurrency {
            let (plan, tallies) = (Arc::clone(&plan), Arc::clone(&tallies));
            let (begun, over) = (Arc::clone(&begun), over.clone());
            let channel = channels[number % channels.len()].clone();
            callers.spawn(async move {
                loop {
                    let number = begun.fetch_add(1, Ordering::Relaxed);
                    if number >= plan.calls || *over.borrow() {
                        break;
                    }
                    let before = Instant::now();
                    if plan.seconds > 0 && before - began >= Duration::from_secs(plan.seconds) {
                        break;
                    }
                    let answer = plan.call(&channel, number).await;
                    lock(&tallies).add(answer, before.elapsed());
                }
            });
        }
        let mut second = tokio::time::interval(Duration::from_secs(1));
        second.tick().await;
        loop {
            tokio::select! {
                caller = callers.join_next() => match caller {
                    Some(caller) => caller?,
                    None => break,
                },
                _ = second.tick(), if seconds > 0 => lock(&tallies).tell_part(),
            }
        }
        lock(&tallies).tell_all();
        Ok(())
    }
}

fn lock(tallies: &Mutex<Tallies>) -> std::sync::MutexGuard<'_, Tallies> {
    tallies.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Connects, and prints each state until it is enough.
async fn tell_states(channel: &Channel, mut over: watch::Receiver<bool>) -> Result<(), Failure> {
    let tell = |state: ConnectivityState| {
        println!("{}", serde_json::json!({ "state": state.to_string() }));
    };
    let mut states = channel.watch_state();
    tell(states.state());
    channel.connect()?;
    loop {
        tokio::select! {
            state = states.changed() => match state {
                Some(state) => tell(state),
                None => return Ok(()),
            },
            _ = over.wait_for(|over| *over) => return Ok(()),
        }
    }
}

/// Tells when standard input has ended.
fn end_of_input() -> watch::Receiver<bool> {
    let (tell, over) = watch::channel(false);
    std::thread::spawn(move || {
        // What cannot be read has ended too.
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        tell.send_replace(true);
    });
    over
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut flags = Flags::parse(std::env::args().skip(1))?;
    let plan = Plan::take(&mut flags)?;
    flags.finish()?;
    let (_never, mut over) = watch::channel(false);
    if plan.until_eof || plan.states {
        over = end_of_input();
    }
    let channels: Result<Vec<_>, _> = (0..plan.channels).map(|_| plan.channel()).collect();
    let channels = channels?;
    if plan.states {
        return tell_states(&channels[0], over).await;
    }
    for channel in &channels {
        plan.meet(channel).await?;
    }
    plan.run(channels, over).await
}
