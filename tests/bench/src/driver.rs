//! Does a load with a peer's client. One generic function serves every Rust peer, so each does the
//! same and none pays for dynamic dispatch.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use crate::Error;
use crate::handler::{check, check_count};
use crate::load::{Load, Task};
use crate::peer::Client;

/// How long idle ends get to finish what they still have to say to each other.
const SETTLE: Duration = Duration::from_millis(100);

/// The pause between two probes of a server whose handlers are busy.
const PROBE_PAUSE: Duration = Duration::from_millis(1);

/// What a client saw of its load.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Outcome {
    pub wall_ns: u64,
    /// Of a peer whose threads come and go, what it used: whoever looks from
    /// outside misses the threads that ended.
    #[serde(default)]
    pub cpu_ns: Option<u64>,
    /// Of a timed load: the time of each call, sorted, at these shares.
    #[serde(default)]
    pub p50_ns: Option<u64>,
    #[serde(default)]
    pub p99_ns: Option<u64>,
    #[serde(default)]
    pub p999_ns: Option<u64>,
}

/// A client with its connections, which stay open for as long as it lives.
#[derive(Debug)]
pub struct Driver<C: Client> {
    load: Load,
    target: C::Target,
    clients: Vec<C>,
    streams: Vec<C::Chat>,
}

/// Times of calls, in ns.
pub type Times = Vec<u64>;

impl Outcome {
    /// With the times of a timed load's calls, or none.
    pub fn new(wall: Duration, mut times: Times) -> Self {
        times.sort_unstable();
        Self {
            wall_ns: wall.as_nanos() as u64,
            cpu_ns: None,
            p50_ns: at(&times, 0.5),
            p99_ns: at(&times, 0.99),
            p999_ns: at(&times, 0.999),
        }
    }
}

impl<C: Client> Driver<C> {
    /// Connects, and does a tenth of the load so that what is made once is made.
    pub async fn ready(load: Load, address: &str) -> Result<Self, Error> {
        let mut driver = Self {
            load,
            target: C::target(address, load.security)?,
            clients: Vec::new(),
            streams: Vec::new(),
        };
        let connections = match load.task {
            Task::Connections => 1,
            _ => load.connections,
        };
        driver.connect(connections).await?;
        for client in &driver.clients {
            check(&client.greet(Task::Hello).await?)?;
        }
        if load.task.is_idle() {
            tokio::time::sleep(SETTLE).await;
        } else {
            driver
                .tasks(Load {
                    count: load.count / 10,
                    ..load
                })
                .await?;
        }
        Ok(driver)
    }

    /// Does the load once.
    pub async fn run(&mut self) -> Result<Outcome, Error> {
        let start = Instant::now();
        let times = match self.load.task {
            Task::Connections => {
                self.connect(self.load.count).await?;
                for client in &self.clients {
                    check(&client.greet(Task::Hello).await?)?;
                }
                tokio::time::sleep(SETTLE).await;
                Times::new()
            }
            Task::Streams => {
                for number in 0..self.load.count {
                    let client = &self.clients[number % self.clients.len()];
                    self.streams.push(client.open().await?);
                }
                tokio::time::sleep(SETTLE).await;
                Times::new()
            }
            _ => self.tasks(self.load).await?,
        };
        Ok(Outcome::new(start.elapsed(), times))
    }

    async fn connect(&mut self, connections: usize) -> Result<(), Error> {
        for _ in 0..connections {
            self.clients.push(C::connect(&self.target).await?);
        }
        Ok(())
    }

    /// A task for each call in flight, each with its share. Where the load asks
    /// for it a probe calls a cheap method on the same connection meanwhile, and
    /// it is the probe's times that are given.
    async fn tasks(&self, load: Load) -> Result<Times, Error> {
        let mut tasks = JoinSet::new();
        for client in &self.clients {
            for _ in 0..load.in_flight {
                tasks.spawn(work(client.clone(), self.target.clone(), load));
            }
        }
        let mut probed = Times::new();
        let all = async {
            let mut times = Times::new();
            while let Some(task) = tasks.join_next().await {
                times.append(&mut task??);
            }
            Ok(times)
        };
        if !load.task.is_probed() {
            return all.await;
        }
        tokio::select! {
            ended = all => ended.map(|_| probed),
            failed = probe(&self.clients[0], &mut probed) => failed.map(|()| Times::new()),
        }
    }
}

/// One task's share of a load.
async fn work<C: Client>(client: C, target: C::Target, load: Load) -> Result<Times, Error> {
    let share = load.share();
    let mut times = Times::new();
    match load.task {
        Task::Pull => check_count(client.pull(share).await?, share)?,
        Task::Push => check_count(client.push(share).await?, share)?,
        Task::Chat => check_count(client.chat(share).await?, share)?,
        Task::PingPong => {
            let mut stream = client.open().await?;
            for _ in 0..share {
                let start = begin(load);
                check(&C::exchange(&mut stream).await?)?;
                end(start, &mut times);
            }
        }
        task => {
            for _ in 0..share {
                let start = begin(load);
                match task {
                    Task::Echo(size) => check_count(client.echo(size).await?, size)?,
                    Task::Connect => {
                        let client = C::connect(&target).await?;
                        check(&client.greet(Task::Hello).await?)?;
                    }
                    _ => check(&client.greet(task).await?)?,
                }
                end(start, &mut times);
            }
        }
    }
    Ok(times)
}

/// Calls a cheap method now and then until it is dropped.
async fn probe<C: Client>(client: &C, times: &mut Times) -> Result<(), Error> {
    loop {
        let start = Instant::now();
        check(&client.greet(Task::Hello).await?)?;
        end(Some(start), times);
        tokio::time::sleep(PROBE_PAUSE).await;
    }
}

fn begin(load: Load) -> Option<Instant> {
    load.timed.then(Instant::now)
}

fn end(start: Option<Instant>, times: &mut Times) {
    times.extend(start.map(|start| start.elapsed().as_nanos() as u64));
}

/// The time below which this share of `times` lies.
fn at(times: &[u64], share: f64) -> Option<u64> {
    let last = times.len().checked_sub(1)?;
    Some(times[(last as f64 * share).round() as usize])
}
