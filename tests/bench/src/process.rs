//! Processes under measurement: this program again, with a subcommand, on a
//! core of its own. It must never leave one behind: each ends when its standard
//! input does, and that closes with us.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use crate::Error;
use crate::implementation::{Flavor, Implementation};

/// Where servers run, and where clients do. On a machine with one core both
/// share it.
pub const SERVER_CORE: usize = 0;
pub const CLIENT_CORE: usize = 1;

/// Linux's `USER_HZ`, in which `/proc` counts CPU time: 100 on every architecture
/// that Rust runs on but Alpha.
const TICK: Duration = Duration::from_millis(10);

/// Keeps this thread, and what it spawns from now on, on one core. `false` if
/// there is no such core or the system does not pin.
pub fn pin(core: usize) -> bool {
    core_affinity::set_for_current(core_affinity::CoreId { id: core })
}

/// Runs `command` on `core`: it inherits the affinity of a thread made for it.
pub fn on_core<T: Send>(core: usize, command: impl FnOnce() -> T + Send) -> Result<T, Error> {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            pin(core);
            command()
        });
        thread
            .join()
            .map_err(|_| Error::from("a measuring thread panicked"))
    })
}

/// The user and system time that a process has used, all its threads together,
/// to a tick of 10 ms.
pub fn cpu_time(process: &str) -> Result<Duration, Error> {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The second field is the program's name, in parentheses and free to hold
    // anything; utime and stime are the 14th and 15th.
    let (_, rest) = text.rsplit_once(')').ok_or("no name in /proc/PID/stat")?;
    let mut ticks = 0;
    for field in rest.split_whitespace().skip(11).take(2) {
        ticks += field.parse::<u32>()?;
    }
    Ok(TICK * ticks)
}

/// A server process; it ends when this is dropped.
#[derive(Debug)]
pub struct ServerProcess {
    child: Child,
    stdin: Option<ChildStdin>,
    pub address: String,
}

impl ServerProcess {
    pub fn start(implementation: Implementation, flavor: Flavor) -> Result<Self, Error> {
        let mut child = Command::new(program()?)
            .args(["serve", &implementation.to_string(), &flavor.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdin = child.stdin.take();
        let mut address = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut address)?;
        }
        let address = address.trim().to_owned();
        let server = Self {
            child,
            stdin,
            address,
        };
        if server.address.is_empty() {
            return Err(format!("the server of {implementation} did not start").into());
        }
        Ok(server)
    }

    pub fn cpu_time(&self) -> Result<Duration, Error> {
        cpu_time(&self.child.id().to_string())
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.stdin.take();
        let _ = self.child.wait();
    }
}

/// Runs a subcommand of this program to its end; gives what it printed.
pub fn run(arguments: &[String]) -> Result<String, Error> {
    let output = Command::new(program()?)
        .args(arguments)
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(format!("'{}' failed: {}", arguments.join(" "), output.status).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Ends this process when its standard input ends.
pub fn end_with_parent() {
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
}

fn program() -> Result<PathBuf, Error> {
    Ok(std::env::current_exe()?)
}
