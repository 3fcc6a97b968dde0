//! Where and with what a run was made. What cannot be found out is left out.

use std::process::Command;

use crate::h2load::H2load;
use crate::options::Options;
use crate::peer::{Implementation, Peers};
use crate::report::About;

const LOCK: &str = include_str!("../Cargo.lock");

pub fn about(options: &Options, peers: &Peers, h2load: Option<&H2load>) -> About {
    let mut versions: Vec<String> = ["tonic", "h2", "tokio", "prost"]
        .into_iter()
        .filter_map(locked)
        .collect();
    versions.extend(first_line("rustc", &["--version"]));
    if peers.present.contains(&Implementation::Cpp) {
        let version = first_line("pkg-config", &["--modversion", "grpc++"]);
        versions.extend(version.map(|version| format!("grpc++ {version}")));
    }
    if peers.present.contains(&Implementation::Grpcio) {
        let version = first_line("python3", &["-c", "import grpc; print(grpc.__version__)"]);
        versions.extend(version.map(|version| format!("grpcio {version}")));
    }
    if h2load.is_some() {
        versions.extend(first_line("h2load", &["--version"]));
    }
    About {
        rounds: options.rounds(),
        quick: options.quick,
        partial: options.only.is_some(),
        day: jiff::Timestamp::now().strftime("%Y-%m-%d").to_string(),
        machine: machine(),
        busy: busy(),
        versions,
        unary_client: match h2load {
            Some(_) => "h2load",
            None => "our own client (h2load is not installed)",
        }
        .to_owned(),
    }
}

/// A crate with its version, as the lock file has it.
fn locked(name: &str) -> Option<String> {
    let (_, rest) = LOCK.split_once(&format!("name = \"{name}\"\nversion = \""))?;
    let (version, _) = rest.split_once('"')?;
    Some(format!("{name} {version}"))
}

fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("a CPU of unknown model", |(_, model)| model);
    let kernel = first_line("uname", &["-sr"]).unwrap_or_default();
    format!("{model}, {cores} cores, {kernel}")
}

fn busy() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/loadavg").ok()?;
    text.split_whitespace().next()?.parse().ok()
}

fn first_line(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().next().map(str::to_owned)
}
