//! Takes a work's measurements, one round at a time. The report compares them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

use crate::Error;
use crate::driver::Outcome;
use crate::h2load::H2load;
use crate::load::Load;
use crate::peer::{Implementation, Peers};
use crate::process::{Process, Usage};
use crate::setup::{Role, Setup};
use crate::works::{Arrangement, Measure, Work};

/// Whoever is not measured is ours: it costs the machine least.
const NEUTRAL: Implementation = Implementation::Ours;

/// Where the slowest of a thousand calls is told, at least as many are made: of
/// fewer it is what the machine did in the meantime.
const TAIL: usize = 50_000;

/// What a measured process used for a load.
#[derive(Clone, Copy, Debug)]
struct Used {
    cpu: Duration,
    /// How much more memory it had in the end.
    grown: u64,
    peak: u64,
}

/// One load, done once.
#[derive(Clone, Debug)]
struct Run {
    /// As often as this.
    total: usize,
    server: Used,
    /// Nothing of h2load.
    client: Option<(Used, Outcome)>,
}

/// Who makes a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum By {
    Peer(Implementation),
    H2load,
}

/// One way to do a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Way {
    server: Implementation,
    by: By,
    /// Whether the client keeps the time of each call, which costs it some.
    timed: bool,
}

/// A work's runs of one round, each done when a measure first needs it.
pub struct Round<'a> {
    work: &'a Work,
    load: Load,
    quick: bool,
    peers: &'a Peers,
    h2load: Option<&'a H2load>,
    runs: RefCell<HashMap<Way, Result<Run, String>>>,
}

impl<'a> Round<'a> {
    pub fn new(
        work: &'a Work,
        load: Load,
        quick: bool,
        peers: &'a Peers,
        h2load: Option<&'a H2load>,
    ) -> Self {
        let runs = RefCell::default();
        Self {
            work,
            load,
            quick,
            peers,
            h2load,
            runs,
        }
    }

    /// A figure in the measure's unit; nothing where `implementation` has no such
    /// thing, and why where it failed.
    pub fn figure(
        &self,
        measure: Measure,
        implementation: Implementation,
    ) -> Option<Result<f64, String>> {
        let load = self.load;
        let task = load.task;
        let (server, by) = match measure.arrangement() {
            _ if implementation.is_alone() => (implementation, By::Peer(implementation)),
            Arrangement::Server if self.h2load.is_some() && task.is_unary() => {
                (implementation, By::H2load)
            }
            Arrangement::Server => (implementation, By::Peer(NEUTRAL)),
            Arrangement::Client => (NEUTRAL, By::Peer(implementation)),
            Arrangement::Pair => (implementation, By::Peer(implementation)),
        };
        let drives = match by {
            By::Peer(client) => client.drives(load),
            By::H2load => true,
        };
        // A probe's times are kept in any case.
        let timed = measure.is_latency() && !task.is_probed();
        (server.serves(load) && drives).then(|| {
            let way = Way { server, by, timed };
            self.run(way).and_then(|run| run.figure(measure))
        })
    }

    fn run(&self, way: Way) -> Result<Run, String> {
        if let Some(run) = self.runs.borrow().get(&way) {
            return run.clone();
        }
        let run = self.measure(way).map_err(|error| error.to_string());
        self.runs.borrow_mut().insert(way, run.clone());
        run
    }

    fn measure(&self, Way { server, by, timed }: Way) -> Result<Run, Error> {
        let setup = self.work.setup;
        let pace = match by {
            By::Peer(client) => client.pace().max(server.pace()),
            By::H2load => server.pace(),
        };
        let count = if timed && self.work.tells_tail(self.quick) {
            self.load.count.max(TAIL)
        } else {
            self.load.count
        };
        let load = Load {
            count: count / pace,
            timed,
            ..self.load
        };
        let start = |_| {
            let command = self.peers.serve(server, setup, load.security);
            Process::start(format!("{server}'s server"), setup, Role::Server, command)
        };
        let serving = (0..load.task.servers()).map(start);
        let serving = Servers(serving.collect::<Result<_, _>>()?);
        let address = serving.addresses()?;
        match (by, self.h2load) {
            (By::H2load, Some(h2load)) => {
                drive_with_h2load(h2load, setup, load, &serving, &address)
            }
            (By::Peer(client), _) => {
                let command = self.peers.drive(client, setup, load, &address);
                let name = format!("{client}'s client of {server}'s server");
                let driving = Process::start(name, setup, Role::Client, command)?;
                drive_with_peer(load, &serving, driving)
            }
            (By::H2load, None) => Err("h2load is not installed".into()),
        }
    }
}

/// The servers of a load.
struct Servers(Vec<Process>);

impl Servers {
    /// With commas between them.
    fn addresses(&self) -> Result<String, Error> {
        let lines = self.0.iter().map(Process::line);
        Ok(lines.collect::<Result<Vec<_>, _>>()?.join(","))
    }

    fn usage(&self) -> Result<Usage, Error> {
        let mut all = Usage::default();
        for each in &self.0 {
            let usage = each.usage()?;
            all.cpu += usage.cpu;
            all.resident += usage.resident;
            all.peak += usage.peak;
        }
        Ok(all)
    }
}

fn drive_with_h2load(
    h2load: &H2load,
    setup: Setup,
    load: Load,
    serving: &Servers,
    address: &str,
) -> Result<Run, Error> {
    let warm_up = Load {
        count: load.count / 10,
        ..load
    };
    h2load.drive(setup, warm_up, address)?;
    let before = serving.usage()?;
    h2load.drive(setup, load, address)?;
    Ok(Run {
        total: load.total(),
        server: Used::between(before, serving.usage()?),
        client: None,
    })
}

fn drive_with_peer(load: Load, serving: &Servers, mut driving: Process) -> Result<Run, Error> {
    match driving.line()?.as_str() {
        "ready" => {}
        line => return Err(format!("a client said '{line}'").into()),
    }
    // Both processes wait now, and wait again when the outcome is there.
    let before = (serving.usage()?, driving.usage()?);
    driving.go()?;
    let outcome: Outcome = serde_json::from_str(&driving.line()?)?;
    let server = Used::between(before.0, serving.usage()?);
    let mut client = Used::between(before.1, driving.usage()?);
    if let Some(nanos) = outcome.cpu_ns {
        client.cpu = Duration::from_nanos(nanos);
    }
    Ok(Run {
        total: load.total(),
        server,
        client: Some((client, outcome)),
    })
}

impl Used {
    fn between(before: Usage, after: Usage) -> Self {
        Self {
            cpu: after.cpu.saturating_sub(before.cpu),
            grown: after.resident.saturating_sub(before.resident),
            peak: after.peak,
        }
    }
}

impl Run {
    fn figure(&self, measure: Measure) -> Result<f64, String> {
        const KIB: f64 = 1024.0;
        let client = || self.client.as_ref().ok_or("there is no client to measure");
        let each = |whole: f64| whole / self.total as f64;
        let micros = |cpu: Duration| each(cpu.as_secs_f64() * 1e6);
        let time = |nanos: Option<u64>| nanos.map(|nanos| nanos as f64 / 1e3);
        let outcome = || Ok::<_, String>(&client()?.1);
        let untimed = "the client kept no times";
        Ok(match measure {
            Measure::ServerCpu => micros(self.server.cpu),
            Measure::ClientCpu => micros(client()?.0.cpu),
            Measure::Wall => each(outcome()?.wall_ns as f64 / 1e3),
            Measure::P50 => time(outcome()?.p50_ns).ok_or(untimed)?,
            Measure::P99 => time(outcome()?.p99_ns).ok_or(untimed)?,
            Measure::P999 => time(outcome()?.p999_ns).ok_or(untimed)?,
            Measure::ServerMemory => each(self.server.grown as f64) / KIB,
            Measure::ClientMemory => each(client()?.0.grown as f64) / KIB,
            Measure::ServerPeak => self.server.peak as f64 / KIB / KIB,
            Measure::ClientPeak => client()?.0.peak as f64 / KIB / KIB,
        })
    }
}
