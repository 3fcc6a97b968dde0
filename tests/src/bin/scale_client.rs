//! What many channels, and channels to many servers, take: opens them, tells their memory
//! and their time in a line of JSON, and ends.
//!
//! - `--channels=N`: as many channels to `--target=T`; none unless set.
//! - `--call`: each makes one call, and keeps its connection.
//! - `--endpoints=N`: a channel with round_robin to as many addresses of this machine, from
//!   127.1.0.0 on, at `--port=P`; none unless set.
//!
//! A line: `{"kib":1234,"seconds":0.5}`: how much the resident memory grew, and how long it
//! took until the last channel was built, called or connected everywhere. Linux only.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use grpc_runtime::{
    Balance, Channel, ChannelCredentials, Control, Policy, Resolved, RoundRobin, Status,
    Subchannel, SubchannelState,
};
use grpc_tests::flags::Flags;
use tokio::sync::watch;

grpc_runtime::include_proto!("grpc.testing");

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What connections may take, and a call.
const BOUND: Duration = Duration::from_secs(60);
/// How long connections get to finish what they still have to say to each other.
const SETTLE: Duration = Duration::from_millis(500);

/// round_robin, with a count of its connections that became ready.
struct Counted(watch::Sender<usize>);

impl Balance for Counted {
    fn name(&self) -> &'static str {
        "round_robin"
    }

    fn policy(&self) -> Box<dyn Policy> {
        let (policy, ready) = (RoundRobin::new().policy(), self.0.clone());
        Box::new(Counting { policy, ready })
    }
}

struct Counting {
    policy: Box<dyn Policy>,
    ready: watch::Sender<usize>,
}

impl Policy for Counting {
    fn update(&mut self, resolved: Resolved, control: &mut Control<'_>) -> Result<(), Status> {
        self.policy.update(resolved, control)
    }

    fn resolution_failed(&mut self, status: Status, control: &mut Control<'_>) {
        self.policy.resolution_failed(status, control);
    }

    fn changed(
        &mut self,
        subchannel: &Subchannel,
        state: SubchannelState,
        control: &mut Control<'_>,
    ) {
        let is_ready = state.is_ready();
        self.policy.changed(subchannel, state, control);
        self.ready
            .send_modify(|count| *count += usize::from(is_ready));
    }

    fn connect(&mut self, control: &mut Control<'_>) {
        self.policy.connect(control);
    }

    fn settled(&mut self, control: &mut Control<'_>) {
        self.policy.settled(control);
    }
}

async fn call(channel: &Channel) -> Result<(), Status> {
    let stub = TestServiceStub::new(channel.clone());
    stub.unary_call(SimpleRequest::default())
        .timeout(BOUND)
        .await?;
    Ok(())
}

/// The memory of this process that is in use, in KiB.
fn resident() -> Result<u64, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.ok_or("no VmRSS in /proc/self/status")?.parse()?)
}

async fn open_channels(target: &str, number: usize, calls: bool) -> Result<Vec<Channel>, Failure> {
    let mut channels = Vec::with_capacity(number);
    for _ in 0..number {
        let channel = Channel::insecure(target)?;
        if calls {
            call(&channel).await?;
        }
        channels.push(channel);
    }
    Ok(channels)
}

async fn reach(endpoints: u32, port: u16) -> Result<Vec<Channel>, Failure> {
    let first = u32::from(Ipv4Addr::new(127, 1, 0, 0));
    let address = |number| format!("{}:{port}", Ipv4Addr::from(first + number));
    let list: Vec<_> = (0..endpoints).map(address).collect();
    let (ready, mut count) = watch::channel(0);
    let channel = Channel::builder(format!("ipv4:{}", list.join(",")))?
        .balance(Counted(ready))
        .build(ChannelCredentials::insecure())?;
    channel.connect()?;
    let all = count.wait_for(|count| *count >= list.len());
    tokio::time::timeout(BOUND, all).await??;
    Ok(vec![channel])
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut flags = Flags::parse(std::env::args().skip(1))?;
    let target: String = flags.take("target", String::new())?;
    let channels = flags.take("channels", 0)?;
    let calls = flags.take("call", false)?;
    let endpoints = flags.take("endpoints", 0)?;
    let port = flags.take("port", 0)?;
    flags.finish()?;

    let (before, began) = (resident()?, Instant::now());
    let open = if endpoints > 0 {
        reach(endpoints, port).await?
    } else {
        open_channels(&target, channels, calls).await?
    };
    let seconds = began.elapsed().as_secs_f64();
    tokio::time::sleep(SETTLE).await;
    let kib = resident()?.saturating_sub(before);
    println!("{}", serde_json::json!({ "kib": kib, "seconds": seconds }));
    drop(open);
    Ok(())
}
