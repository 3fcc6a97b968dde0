//! The server that is attacked, and a client whose calls must not suffer. The cost of that
//! client's first calls does not count as the attack's.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use grpc_runtime::{Channel, ChannelCredentials, Status};

use crate::proto::{Empty, TestServiceStub};

pub(crate) const MIB: u64 = 1 << 20;

/// Long enough for anything that is not stuck.
const BOUND: Duration = Duration::from_secs(30);

pub(crate) struct Target {
    child: Child,
    pub(crate) address: String,
    /// The most memory it had before the attack.
    before: u64,
    attacked: Arc<AtomicBool>,
    victim: Option<JoinHandle<Result<(), Status>>>,
}

impl Target {
    /// A server that a victim calls every few milliseconds.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same with these flags of the interop server.
    pub(crate) fn start_with(flags: &[String]) -> Self {
        Self::start_for(flags, ChannelCredentials::insecure())
    }

    /// The same over TLS, with flags that say so; the victim trusts these roots.
    pub(crate) fn start_over_tls(flags: &[String], roots: &[u8]) -> Self {
        let credentials = ChannelCredentials::tls().roots(roots).build();
        Self::start_for(flags, credentials.unwrap())
    }

    fn start_for(flags: &[String], credentials: ChannelCredentials) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_interop_server"))
            .arg("--port=0")
            .args(flags)
            // Large blocks go back to the system when they are freed: the C library keeps
            // them otherwise, and it is what we hold that is judged.
            .env("MALLOC_MMAP_THRESHOLD_", "131072")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut printed = BufReader::new(child.stdout.take().unwrap());
        printed.read_line(&mut line).unwrap();
        let port = line.trim().rsplit(':').next().unwrap();
        let address = format!("127.0.0.1:{port}");
        let mut target = Self {
            child,
            attacked: Arc::new(AtomicBool::new(true)),
            victim: None,
            before: 0,
            address,
        };
        let builder = Channel::builder(&target.address).unwrap();
        let stub = TestServiceStub::new(builder.build(credentials).unwrap());
        for _ in 0..100 {
            stub.empty_call(Empty {}).timeout(BOUND).wait().unwrap();
        }
        target.before = target.memory("VmHWM:");
        let attacked = Arc::clone(&target.attacked);
        target.victim = Some(thread::spawn(move || {
            loop {
                // The last call begins when the attack is over.
                let is_last = !attacked.load(Ordering::Relaxed);
                let call = stub.empty_call(Empty {}).timeout(Duration::from_secs(5));
                call.wait()?;
                if is_last {
                    return Ok(());
                }
                thread::sleep(Duration::from_millis(5));
            }
        }));
        target
    }

    fn memory(&self, what: &str) -> u64 {
        let status = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(status).unwrap();
        let line = status.lines().find(|line| line.starts_with(what));
        let kilobytes = line.unwrap().split_whitespace().nth(1).unwrap();
        kilobytes.parse::<u64>().unwrap() << 10
    }

    /// How many files and sockets the server has open.
    pub(crate) fn descriptors(&self) -> usize {
        let open = format!("/proc/{}/fd", self.child.id());
        std::fs::read_dir(open).unwrap().count()
    }

    /// Waits for the server to come to this.
    pub(crate) fn until(&self, mut is_so: impl FnMut(&Self) -> bool) {
        let began = Instant::now();
        while !is_so(self) {
            assert!(began.elapsed() < BOUND, "it never comes to that");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// The most memory that the attack took so far.
    fn taken(&self) -> u64 {
        self.memory("VmHWM:") - self.before
    }

    /// Waits for the attack to take no more for a second.
    pub(crate) fn is_at_rest(&self) {
        self.has_taken(0);
    }

    /// Waits for the attack to take as much memory as this, and then no more for a
    /// second.
    pub(crate) fn has_taken(&self, memory: u64) {
        self.until(|target| target.taken() >= memory);
        let mut rest = (self.taken(), Instant::now());
        self.until(|target| {
            let taken = target.taken();
            if taken != rest.0 {
                rest = (taken, Instant::now());
            }
            rest.1.elapsed() >= Duration::from_secs(1)
        });
    }

    /// The attack keeps no more memory than this, and harmed no call of the victim.
    pub(crate) fn comes_to(mut self, memory: u64) {
        let before = self.before;
        self.until(|target| target.memory("VmRSS:") <= before + memory);
        self.has_served();
    }

    fn has_served(&mut self) {
        self.attacked.store(false, Ordering::Relaxed);
        let called = self.victim.take().unwrap().join().unwrap();
        assert!(called.is_ok(), "{called:?}");
    }

    /// The attack took no more memory than this, and harmed no call of the victim.
    pub(crate) fn stands_within(mut self, memory: u64) {
        self.has_served();
        let peak = self.taken();
        println!("{} KiB of {}", peak >> 10, memory >> 10);
        assert!(peak <= memory, "{peak} bytes more than before");
        assert!(self.child.try_wait().unwrap().is_none(), "it ended");
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.attacked.store(false, Ordering::Relaxed);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
