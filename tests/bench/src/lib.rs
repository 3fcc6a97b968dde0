//! The parts of the benchmark, as a library so that its tests share them.

pub mod about;
pub mod build_cost;
pub mod child;
pub mod driver;
pub mod gain;
pub mod h2load;
pub mod handler;
pub mod load;
pub mod measure;
pub mod options;
pub mod peer;
pub mod plot;
pub mod process;
pub mod publish;
pub mod report;
pub mod rounds;
pub mod security;
pub mod setup;
pub mod table;
pub mod works;

/// An error of the benchmark: it stops and says why.
pub type Error = Box<dyn std::error::Error + Send + Sync>;
