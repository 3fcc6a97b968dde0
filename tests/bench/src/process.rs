//! The measuring side of measured processes: starts them where they belong, talks to them in
//! lines, reads what they used, and stops those that hang.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::process::{Resource, getrlimit, setrlimit};

use crate::Error;
use crate::setup::{Role, Setup};

/// How long a process may take for its next line.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long it may take to end when told to.
const FAREWELL: Duration = Duration::from_secs(5);

/// A measured process; it is ended when this is dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
}

/// What a process has used up to a moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// User and system time of all its threads.
    pub cpu: Duration,
    /// Resident memory now, in bytes.
    pub resident: u64,
    /// The most resident memory there ever was, in bytes.
    pub peak: u64,
}

/// Starts `command` where `role` belongs in `setup`: it inherits the affinity of
/// the thread that starts it.
pub fn run<T: Send>(
    setup: Setup,
    role: Role,
    start: impl FnOnce() -> std::io::Result<T> + Send,
) -> Result<T, Error> {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            setup.settle(role)?;
            Ok(start()?)
        });
        thread.join().map_err(|_| "a measuring thread panicked")?
    })
}

/// Lets this process, and all that it starts, open as many files as the system
/// allows: thousands of connections take more than is usual.
pub fn raise_file_limit() -> Result<(), Error> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    Ok(setrlimit(Resource::Nofile, limit)?)
}

impl Process {
    pub fn start(
        name: String,
        setup: Setup,
        role: Role,
        mut command: Command,
    ) -> Result<Self, Error> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = run(setup, role, || command.spawn())?;
        let (sender, lines) = channel();
        if let Some(stdout) = child.stdout.take() {
            std::thread::spawn(move || {
                let read = BufReader::new(stdout).lines().map_while(Result::ok);
                read.take_while(|line| sender.send(line.clone()).is_ok())
                    .for_each(drop);
            });
        }
        Ok(Self {
            name,
            stdin: child.stdin.take(),
            child,
            lines,
        })
    }

    /// The next line that it prints.
    pub fn line(&self) -> Result<String, Error> {
        self.lines
            .recv_timeout(PATIENCE)
            .map_err(|error| format!("{}: no answer ({error})", self.name).into())
    }

    /// Lets it go on to its next line.
    pub fn go(&mut self) -> Result<(), Error> {
        let stdin = self.stdin.as_mut().ok_or("a process without input")?;
        Ok(writeln!(stdin)?)
    }

    pub fn usage(&self) -> Result<Usage, Error> {
        let pid = self.child.id();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let bytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            let kib: u64 = line.trim().trim_end_matches(" kB").parse().ok()?;
            Some(kib * 1024)
        };
        Ok(Usage {
            cpu: cpu_time(pid)?,
            resident: bytes("VmRSS:").ok_or("no VmRSS in /proc/PID/status")?,
            peak: bytes("VmHWM:").ok_or("no VmHWM in /proc/PID/status")?,
        })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stdin.take();
        let end = Instant::now() + FAREWELL;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(1));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The CPU time of a process, to the nanosecond where the kernel keeps
/// `schedstat` for each thread. That forgets threads that ended, which the
/// process's own clock does not; the latter counts in ticks, so it is believed
/// only where it is ahead.
fn cpu_time(pid: u32) -> Result<Duration, Error> {
    let mut precise = Duration::ZERO;
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread may end between the listing and the reading.
        let Ok(text) = std::fs::read_to_string(task?.path().join("schedstat")) else {
            continue;
        };
        if let Some(nanos) = text.split_whitespace().next() {
            precise += Duration::from_nanos(nanos.parse()?);
        }
    }
    // utime and stime, each cut to a whole tick.
    let [user, system, ..] = ticks(&format!("/proc/{pid}/stat"))?;
    Ok(precise.max(user + system))
}

/// The CPU time of all children of this process that have ended, to two ticks.
pub fn children_cpu_time() -> Result<Duration, Error> {
    let [.., user, system] = ticks("/proc/self/stat")?;
    Ok(user + system)
}

/// utime, stime, cutime and cstime: the 14th field and the next three.
fn ticks(stat: &str) -> Result<[Duration; 4], Error> {
    let hertz = rustix::param::clock_ticks_per_second();
    let text = std::fs::read_to_string(stat)?;
    // The second field is the program's name, in parentheses and free to hold
    // anything.
    let (_, rest) = text.rsplit_once(')').ok_or("no name in /proc/PID/stat")?;
    let mut times = [Duration::ZERO; 4];
    let fields = rest.split_whitespace().skip(11);
    for (time, field) in times.iter_mut().zip(fields) {
        *time = Duration::from_millis(field.parse::<u64>()? * 1000 / hertz);
    }
    Ok(times)
}
