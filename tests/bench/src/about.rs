//! Where and with what a run was made. What cannot be found out is left out.

use std::process::Command;

use crate::h2load::H2load;
use crate::options::Options;
use crate::peer::{Implementation, Peers};
use crate::report::About;

const LOCK: &str = include_str!("../Cargo.lock");
const RIVALS_LOCK: &str = include_str!("../rivals/Cargo.lock");
/// Where Debian's grpc-go says its version.
const GRPC_GO: &str = "/usr/share/gocode/src/google.golang.org/grpc/version.go";

pub fn about(options: &Options, peers: &Peers, h2load: Option<&H2load>) -> About {
    let mut versions: Vec<String> = ["tonic", "h2", "tokio", "prost"]
        .into_iter()
        .filter_map(|name| locked(LOCK, name))
        .collect();
    versions.extend(first_line("rustc", &["--version"]));
    let rivals = [
        (Implementation::ConnectRust, "connectrpc"),
        (Implementation::Volo, "volo-grpc"),
    ];
    for (implementation, name) in rivals {
        if peers.present.contains(&implementation) {
            versions.extend(locked(RIVALS_LOCK, name));
        }
    }
    if peers.present.contains(&Implementation::Go) {
        versions.extend(grpc_go());
    }
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

/// grpc-go with its version, and that of its compiler.
fn grpc_go() -> Option<String> {
    let text = std::fs::read_to_string(GRPC_GO).ok()?;
    let (_, rest) = text.split_once("Version = \"")?;
    let (version, _) = rest.split_once('"')?;
    let compiler = first_line("go", &["env", "GOVERSION"]).unwrap_or_default();
    Some(format!("grpc-go {version} ({compiler})"))
}

/// A crate with its version, as a lock file has it.
fn locked(lock: &str, name: &str) -> Option<String> {
    let (_, rest) = lock.split_once(&format!("name = \"{name}\"\nversion = \""))?;
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
