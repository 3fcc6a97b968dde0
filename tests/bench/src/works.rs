//! What is measured: one table, a value for each work. Each work is one that all implementations
//! can do.

use crate::load::{Load, Task};
use crate::setup::Setup;

/// A load, where it runs, and what is looked at.
#[derive(Debug)]
pub struct Work {
    /// What `--only` looks for.
    pub name: &'static str,
    pub group: Group,
    pub title: &'static str,
    pub load: Load,
    pub setup: Setup,
    pub aspects: &'static [Aspect],
}

impl Work {
    /// What is measured. A quick run makes too few calls for the slowest of a
    /// thousand to mean anything.
    pub fn aspects(&self, quick: bool) -> Vec<&'static Aspect> {
        let told = |aspect: &&Aspect| !quick || aspect.measure != Measure::P999;
        self.aspects.iter().filter(told).collect()
    }

    /// Whether the slowest of a thousand calls is told.
    pub fn tells_tail(&self, quick: bool) -> bool {
        let aspects = self.aspects(quick);
        aspects.iter().any(|aspect| aspect.measure == Measure::P999)
    }

    /// How often it is measured in each round. The slowest of a thousand is as
    /// much the machine's as the work's: with the same program it varies threefold
    /// from one time to the next.
    pub fn turns(&self, quick: bool) -> usize {
        if self.tells_tail(quick) { 3 } else { 1 }
    }
}

/// A measure of a work, and what our share of tonic's figure is meant to be.
#[derive(Clone, Copy, Debug)]
pub struct Aspect {
    pub measure: Measure,
    pub goal: Option<f64>,
}

/// Works that stand in one table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    Unary,
    Streaming,
    Large,
    Handlers,
    Balance,
    Memory,
    Tls,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    ServerCpu,
    ClientCpu,
    Wall,
    P50,
    P99,
    P999,
    /// What one more takes.
    ServerMemory,
    ClientMemory,
    /// The most that the process ever took.
    ServerPeak,
    ClientPeak,
}

/// Who is put opposite whom, so that two figures differ by one side alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrangement {
    /// Each server, with the same client.
    Server,
    /// Each client, with the same server.
    Client,
    /// Each client with its own server.
    Pair,
}

impl Group {
    pub const ALL: [Self; 7] = [
        Self::Unary,
        Self::Streaming,
        Self::Large,
        Self::Handlers,
        Self::Balance,
        Self::Memory,
        Self::Tls,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Unary => "unary",
            Self::Streaming => "streaming",
            Self::Large => "large",
            Self::Handlers => "handlers",
            Self::Balance => "balance",
            Self::Memory => "memory",
            Self::Tls => "tls",
        }
    }
}

impl Measure {
    pub fn name(self) -> &'static str {
        match self {
            Self::ServerCpu => "server CPU",
            Self::ClientCpu => "client CPU",
            Self::Wall => "wall time",
            Self::P50 => "latency, p50",
            Self::P99 => "latency, p99",
            Self::P999 => "latency, p99.9",
            Self::ServerMemory => "server memory",
            Self::ClientMemory => "client memory",
            Self::ServerPeak => "server peak memory",
            Self::ClientPeak => "client peak memory",
        }
    }

    pub fn arrangement(self) -> Arrangement {
        match self {
            Self::ServerCpu | Self::ServerMemory | Self::ServerPeak => Arrangement::Server,
            Self::ClientCpu | Self::ClientMemory | Self::ClientPeak => Arrangement::Client,
            Self::Wall | Self::P50 | Self::P99 | Self::P999 => Arrangement::Pair,
        }
    }

    pub fn is_latency(self) -> bool {
        matches!(self, Self::P50 | Self::P99 | Self::P999)
    }

    pub fn unit(self, task: Task) -> String {
        match self {
            Self::ServerCpu | Self::ClientCpu | Self::Wall => format!("µs/{}", task.unit()),
            Self::P50 | Self::P99 | Self::P999 => "µs".to_owned(),
            Self::ServerMemory | Self::ClientMemory => format!("KiB/{}", task.unit()),
            Self::ServerPeak | Self::ClientPeak => "MiB".to_owned(),
        }
    }
}

const fn seen(measure: Measure) -> Aspect {
    let goal = None;
    Aspect { measure, goal }
}

const fn meant(measure: Measure, goal: f64) -> Aspect {
    let goal = Some(goal);
    Aspect { measure, goal }
}

/// CPU time of both sides, and the wall time of a pair.
const COSTS: &[Aspect] = &[
    seen(Measure::ServerCpu),
    seen(Measure::ClientCpu),
    seen(Measure::Wall),
];
/// The same, where either side is meant to take half of tonic's time at most.
const COSTS_HALF: &[Aspect] = &[
    meant(Measure::ServerCpu, 0.5),
    meant(Measure::ClientCpu, 0.5),
    seen(Measure::Wall),
];
/// What a handler costs, and how a cheap call fares beside it.
const BESIDE: &[Aspect] = &[
    seen(Measure::ServerCpu),
    seen(Measure::Wall),
    seen(Measure::P50),
    seen(Measure::P99),
];
/// What one more takes while it idles.
const IDLE: &[Aspect] = &[
    meant(Measure::ServerMemory, 0.5),
    meant(Measure::ClientMemory, 0.5),
];

const KIB: usize = 1024;

/// In the order in which they run and stand in tables. The counts are a full
/// run's, chosen so that tonic takes about half a second for each.
pub const WORKS: &[Work] = &[
    Work {
        name: "unary-1x1",
        group: Group::Unary,
        title: "unary, 1 at a time",
        load: Load::new(Task::Hello, 1, 1, 20_000),
        setup: Setup::Pinned,
        aspects: &[
            seen(Measure::ServerCpu),
            seen(Measure::ClientCpu),
            meant(Measure::P50, 1.0),
            meant(Measure::P99, 1.0),
            seen(Measure::P999),
        ],
    },
    Work {
        name: "unary-1x100",
        group: Group::Unary,
        title: "unary, 1 × 100",
        load: Load::new(Task::Hello, 1, 100, 50_000),
        setup: Setup::Pinned,
        aspects: &[
            seen(Measure::ServerCpu),
            meant(Measure::ClientCpu, 0.25),
            seen(Measure::Wall),
            seen(Measure::P50),
            seen(Measure::P99),
            seen(Measure::P999),
        ],
    },
    Work {
        name: "unary-10x100",
        group: Group::Unary,
        title: "unary, 10 × 100",
        load: Load::new(Task::Hello, 10, 100, 60_000),
        setup: Setup::Pinned,
        aspects: &[
            meant(Measure::ServerCpu, 0.2),
            seen(Measure::ClientCpu),
            seen(Measure::Wall),
            seen(Measure::ServerPeak),
            seen(Measure::ClientPeak),
        ],
    },
    Work {
        name: "unary-50x20",
        group: Group::Unary,
        title: "unary, 50 × 20",
        load: Load::new(Task::Hello, 50, 20, 60_000),
        setup: Setup::Pinned,
        aspects: COSTS,
    },
    Work {
        name: "unary-10x100-free",
        group: Group::Unary,
        title: "unary, 10 × 100",
        load: Load::new(Task::Hello, 10, 100, 60_000),
        setup: Setup::Free,
        aspects: COSTS,
    },
    Work {
        name: "connect",
        group: Group::Unary,
        title: "connect, one call, close",
        load: Load::new(Task::Connect, 1, 1, 1_500),
        setup: Setup::Pinned,
        aspects: COSTS,
    },
    Work {
        name: "pull",
        group: Group::Streaming,
        title: "server streaming, 4 streams",
        load: Load::new(Task::Pull, 1, 4, 600_000),
        setup: Setup::Pinned,
        aspects: COSTS_HALF,
    },
    Work {
        name: "push",
        group: Group::Streaming,
        title: "client streaming, 4 streams",
        load: Load::new(Task::Push, 1, 4, 600_000),
        setup: Setup::Pinned,
        aspects: COSTS_HALF,
    },
    Work {
        name: "chat",
        group: Group::Streaming,
        title: "bidi streaming, 4 streams",
        load: Load::new(Task::Chat, 1, 4, 300_000),
        setup: Setup::Pinned,
        aspects: COSTS_HALF,
    },
    Work {
        name: "ping-pong",
        group: Group::Streaming,
        title: "bidi, 1 message at a time",
        load: Load::new(Task::PingPong, 1, 1, 20_000),
        setup: Setup::Pinned,
        aspects: &[
            seen(Measure::ServerCpu),
            seen(Measure::ClientCpu),
            seen(Measure::P50),
            seen(Measure::P99),
            seen(Measure::P999),
        ],
    },
    Work {
        name: "echo-16k",
        group: Group::Large,
        title: "echo of 16 KiB, 1 × 16",
        load: Load::new(Task::Echo(16 * KIB), 1, 16, 10_000),
        setup: Setup::Pinned,
        aspects: COSTS,
    },
    Work {
        name: "echo-1m",
        group: Group::Large,
        title: "echo of 1 MiB, 1 × 4",
        load: Load::new(Task::Echo(1024 * KIB), 1, 4, 2_000),
        setup: Setup::Pinned,
        aspects: &[
            meant(Measure::ServerCpu, 0.5),
            meant(Measure::ClientCpu, 0.5),
            seen(Measure::Wall),
            seen(Measure::ServerPeak),
            seen(Measure::ClientPeak),
        ],
    },
    Work {
        name: "yield",
        group: Group::Handlers,
        title: "handlers that await, 1 × 100",
        load: Load::new(Task::Yield, 1, 100, 40_000),
        setup: Setup::Free,
        aspects: BESIDE,
    },
    Work {
        name: "sleep",
        group: Group::Handlers,
        title: "handlers that wait 1 ms, 1 × 100",
        load: Load::new(Task::Sleep, 1, 100, 20_000),
        setup: Setup::Free,
        aspects: BESIDE,
    },
    Work {
        name: "spin",
        group: Group::Handlers,
        title: "handlers that work 200 µs, 1 × 16",
        load: Load::new(Task::Spin, 1, 16, 4_000),
        setup: Setup::Free,
        aspects: BESIDE,
    },
    Work {
        name: "balanced-1x1",
        group: Group::Balance,
        title: "unary over three servers, 1 at a time",
        load: Load::new(Task::Balanced, 1, 1, 20_000),
        setup: Setup::Pinned,
        aspects: &[
            seen(Measure::ClientCpu),
            seen(Measure::P50),
            seen(Measure::P99),
        ],
    },
    Work {
        name: "balanced-1x100",
        group: Group::Balance,
        title: "unary over three servers, 100 at a time",
        load: Load::new(Task::Balanced, 1, 100, 50_000),
        setup: Setup::Pinned,
        aspects: &[
            seen(Measure::ClientCpu),
            seen(Measure::Wall),
            seen(Measure::P50),
            seen(Measure::P99),
        ],
    },
    Work {
        name: "connections",
        group: Group::Memory,
        title: "idle connections",
        load: Load::new(Task::Connections, 1, 1, 2_000),
        setup: Setup::Pinned,
        aspects: IDLE,
    },
    Work {
        name: "streams",
        group: Group::Memory,
        title: "open idle streams, 100 on a connection",
        load: Load::new(Task::Streams, 20, 100, 2_000),
        setup: Setup::Pinned,
        aspects: IDLE,
    },
    Work {
        name: "unary-1x1-tls",
        group: Group::Tls,
        title: "unary, 1 at a time, TLS",
        load: Load::new(Task::Hello, 1, 1, 10_000).over_tls(),
        setup: Setup::Pinned,
        aspects: &[
            seen(Measure::ServerCpu),
            seen(Measure::ClientCpu),
            seen(Measure::P50),
            seen(Measure::P99),
        ],
    },
    Work {
        name: "unary-10x100-tls",
        group: Group::Tls,
        title: "unary, 10 × 100, TLS",
        load: Load::new(Task::Hello, 10, 100, 60_000).over_tls(),
        setup: Setup::Pinned,
        aspects: COSTS,
    },
    Work {
        name: "pull-tls",
        group: Group::Tls,
        title: "server streaming, 4 streams, TLS",
        load: Load::new(Task::Pull, 1, 4, 600_000).over_tls(),
        setup: Setup::Pinned,
        aspects: COSTS,
    },
    Work {
        name: "echo-1m-tls",
        group: Group::Tls,
        title: "echo of 1 MiB, 1 × 4, TLS",
        load: Load::new(Task::Echo(1024 * KIB), 1, 4, 2_000).over_tls(),
        setup: Setup::Pinned,
        aspects: COSTS,
    },
    Work {
        name: "connect-tls",
        group: Group::Tls,
        title: "connect, one call, close, TLS",
        load: Load::new(Task::Connect, 1, 1, 500).over_tls(),
        setup: Setup::Pinned,
        aspects: COSTS,
    },
    Work {
        name: "connections-tls",
        group: Group::Tls,
        title: "idle connections, TLS",
        load: Load::new(Task::Connections, 1, 1, 1_000).over_tls(),
        setup: Setup::Pinned,
        aspects: &[seen(Measure::ServerMemory), seen(Measure::ClientMemory)],
    },
];
