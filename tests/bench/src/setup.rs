//! On which cores and threads a measurement's two processes run.

use std::fmt;
use std::str::FromStr;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use tokio::runtime::{Builder, Runtime};

use crate::Error;

/// Where and on which tokio runtime both processes of a measurement run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Setup {
    /// Each on the current-thread runtime and on a core of its own.
    Pinned,
    /// Each on the multi-thread runtime with two workers, on any core.
    Free,
}

/// Which process of a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Server,
    Client,
}

impl Setup {
    pub const ALL: [Self; 2] = [Self::Pinned, Self::Free];

    pub fn runtime(self) -> Result<Runtime, Error> {
        let mut builder = match self {
            Self::Pinned => Builder::new_current_thread(),
            Self::Free => Builder::new_multi_thread(),
        };
        if self == Self::Free {
            builder.worker_threads(2);
        }
        Ok(builder.enable_all().build()?)
    }

    /// Keeps this thread, and the processes it starts from now on, where the role
    /// belongs: on the first core we may use, or the second. With one core both
    /// share it.
    pub fn settle(self, role: Role) -> Result<(), Error> {
        if self == Self::Free {
            return Ok(());
        }
        let allowed = sched_getaffinity(None)?;
        let mut cores = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core));
        let first = cores.next().ok_or("there is no core to run on")?;
        let core = match role {
            Role::Server => first,
            Role::Client => cores.next().unwrap_or(first),
        };
        let mut only = CpuSet::new();
        only.set(core);
        Ok(sched_setaffinity(None, &only)?)
    }
}

impl fmt::Display for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pinned => "pinned",
            Self::Free => "free",
        })
    }
}

impl FromStr for Setup {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|each| each.to_string() == word);
        found.ok_or_else(|| format!("no set-up is called '{word}'").into())
    }
}
