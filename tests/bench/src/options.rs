//! What the command line says.

use std::path::PathBuf;

use clap::Parser;

use crate::build_cost;
use crate::peer::Implementation;
use crate::works::{WORKS, Work};

/// Measures what calls cost, side by side with other implementations of gRPC.
///
/// A full run takes about 50 minutes. Nothing else should run meanwhile.
#[derive(Debug, Parser)]
#[command(name = "bench-grpc", version = None)]
pub struct Options {
    /// Fewer rounds and calls, ours and tonic only: about a minute
    #[arg(long)]
    pub quick: bool,

    /// Only the workloads whose names contain PATTERN
    #[arg(long, value_name = "PATTERN")]
    pub only: Option<String>,

    /// Only these implementations; those that are not installed are left out
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    peers: Option<Vec<Implementation>>,

    /// Lists the workloads and implementations, and measures nothing
    #[arg(long)]
    pub list: bool,

    /// Rounds, instead of 5, or of 2 in a quick run
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    rounds: Option<u16>,

    /// Where the figures go
    #[arg(long, value_name = "PATH", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/target/bench.json"))]
    pub json: PathBuf,

    /// Where the ratios go as a plot
    #[arg(long, value_name = "PATH", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/target/bench.svg"))]
    pub svg: PathBuf,

    /// Measures what a hello program costs to build, in a quick run too
    #[arg(long)]
    build_cost: bool,

    /// Writes the tables into PERFORMANCE.md, and the plot beside this package
    #[arg(long)]
    pub publish: bool,

    /// Measures nothing, and shows or publishes what an earlier run wrote
    #[arg(long, value_name = "PATH", conflicts_with_all = ["quick", "only", "peers", "rounds", "build_cost"])]
    pub from: Option<PathBuf>,
}

impl Options {
    pub fn rounds(&self) -> usize {
        let default = if self.quick { 2 } else { 5 };
        self.rounds.map_or(default, usize::from)
    }

    pub fn peers(&self) -> Vec<Implementation> {
        match &self.peers {
            Some(peers) => Implementation::ALL
                .into_iter()
                .filter(|each| peers.contains(each))
                .collect(),
            None if self.quick => vec![Implementation::Ours, Implementation::Tonic],
            None => Implementation::ALL.to_vec(),
        }
    }

    /// How often hello is built, if at all: builds are long, and vary little.
    pub fn builds(&self) -> Option<usize> {
        let wanted = match &self.only {
            Some(pattern) => build_cost::GROUP.contains(pattern.as_str()),
            None => !self.quick,
        };
        (wanted || self.build_cost).then(|| self.rounds().min(2))
    }

    pub fn works(&self) -> Vec<&'static Work> {
        let pattern = self.only.as_deref().unwrap_or_default();
        WORKS
            .iter()
            .filter(|work| work.name.contains(pattern))
            .collect()
    }
}
