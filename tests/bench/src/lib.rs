//! The parts of the benchmark, as a library so that its tests share them.

pub mod implementation;
pub mod load;
pub mod options;
pub mod ours;
pub mod process;
pub mod report;
pub mod tonic_peer;

/// An error of the benchmark: it stops and says why.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// The one method that is called.
pub const PATH: &str = "/example.HelloService/SayHello";
/// What every request carries.
pub const GREETING: &str = "World";
