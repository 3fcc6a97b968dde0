//! What drives a server: h2load, which belongs to none of the implementations,
//! or a client of theirs where clients are measured.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::implementation::{Client, Flavor, Implementation};
use crate::{Error, GREETING, PATH, process};

/// The load on a server: connections, and calls in flight on each.
pub const CONNECTIONS: usize = 10;
pub const STREAMS: usize = 100;
/// The load of a measured client: calls in flight on its one channel.
pub const IN_FLIGHT: usize = 100;

/// What makes the calls to a server under measurement.
#[derive(Debug)]
pub enum Load {
    /// h2load, with the file that holds the request's body.
    H2load(PathBuf),
    /// Our own client, where h2load is not installed.
    OwnClient,
}

impl Load {
    /// h2load if the machine has it; writes the request's body into `directory`.
    pub fn find(directory: &Path) -> Result<Self, Error> {
        let probe = Command::new("h2load")
            .arg("--version")
            .stdout(Stdio::null())
            .status();
        if !probe.is_ok_and(|status| status.success()) {
            return Ok(Self::OwnClient);
        }
        let path = directory.join("request.bin");
        std::fs::File::create(&path)?.write_all(&request_body())?;
        Ok(Self::H2load(path))
    }

    pub fn name(&self) -> String {
        match self {
            Self::H2load(_) => format!("h2load, {CONNECTIONS} connections x {STREAMS} streams"),
            Self::OwnClient => {
                format!(
                    "our own client (h2load is not installed), 1 connection x {IN_FLIGHT} streams"
                )
            }
        }
    }

    /// Makes `calls` calls and checks that all succeeded; gives the wall time.
    pub fn drive(&self, address: &str, calls: usize) -> Result<Duration, Error> {
        let start = Instant::now();
        match self {
            Self::H2load(body) => h2load(body, address, calls)?,
            Self::OwnClient => {
                let flavor = Flavor::CurrentThread;
                return Ok(run_client(Implementation::Ours, flavor, address, calls)?.wall);
            }
        }
        Ok(start.elapsed())
    }
}

fn h2load(body: &Path, address: &str, calls: usize) -> Result<(), Error> {
    let mut command = Command::new("h2load");
    command
        .args(["-t", "1", "-n", &calls.to_string()])
        .args(["-c", &CONNECTIONS.to_string(), "-m", &STREAMS.to_string()])
        .args(["-H", "content-type: application/grpc", "-H", "te: trailers"])
        .arg("-d")
        .arg(body)
        .arg(format!("http://{address}{PATH}"));
    let output = process::on_core(process::CLIENT_CORE, || command.output())??;
    let text = String::from_utf8_lossy(&output.stdout);
    if !text.contains(&format!("status codes: {calls} 2xx")) {
        return Err(format!("h2load did not get {calls} answers:\n{text}").into());
    }
    Ok(())
}

/// A length-prefixed `HelloRequest`: field 1 is the greeting.
fn request_body() -> Vec<u8> {
    const LENGTH: u8 = GREETING.len() as u8;
    let mut body = vec![0, 0, 0, 0, LENGTH + 2, 0x0a, LENGTH];
    body.extend_from_slice(GREETING.as_bytes());
    body
}

/// What a client process measured of itself.
#[derive(Clone, Copy, Debug)]
pub struct ClientRun {
    pub cpu: Duration,
    pub wall: Duration,
}

/// Makes `calls` calls from a client process of its own.
pub fn run_client(
    implementation: Implementation,
    flavor: Flavor,
    address: &str,
    calls: usize,
) -> Result<ClientRun, Error> {
    let printed = process::run(&[
        "call".to_owned(),
        implementation.to_string(),
        flavor.to_string(),
        address.to_owned(),
        calls.to_string(),
    ])?;
    let mut micros = printed.split_whitespace().map(str::parse::<u64>);
    match (micros.next(), micros.next()) {
        (Some(Ok(cpu)), Some(Ok(wall))) => Ok(ClientRun {
            cpu: Duration::from_micros(cpu),
            wall: Duration::from_micros(wall),
        }),
        _ => Err(format!("a client printed '{printed}'").into()),
    }
}

/// The client process: warms up with a tenth of the calls, then measures.
pub async fn measure_client(client: Client, calls: usize) -> Result<ClientRun, Error> {
    make_calls(&client, calls / 10).await?;
    let (cpu, wall) = (process::cpu_time("self")?, Instant::now());
    make_calls(&client, calls).await?;
    Ok(ClientRun {
        cpu: process::cpu_time("self")? - cpu,
        wall: wall.elapsed(),
    })
}

/// `calls` calls, [`IN_FLIGHT`] at a time.
pub async fn make_calls(client: &Client, calls: usize) -> Result<(), Error> {
    let mut tasks = JoinSet::new();
    for task in 0..IN_FLIGHT {
        let share = calls / IN_FLIGHT + usize::from(task < calls % IN_FLIGHT);
        let client = client.clone();
        tasks.spawn(async move {
            for _ in 0..share {
                check(&client.call().await?)?;
            }
            Ok::<_, Error>(())
        });
    }
    while let Some(task) = tasks.join_next().await {
        task??;
    }
    Ok(())
}

/// Whether a reply is the one that belongs to [`GREETING`].
pub fn check(reply: &str) -> Result<(), Error> {
    if reply == "Hello, World!" {
        Ok(())
    } else {
        Err(format!("the reply was '{reply}'").into())
    }
}
