//! Who is measured. A peer written in Rust is a [`Peer`]; the others are programs
//! that take the same words. Everything that differs between them is here and
//! below.

pub mod floor;
pub mod h2;
pub mod ours;
mod programs;
pub mod tonic;

use std::fmt;
use std::future::Future;
use std::str::FromStr;

use crate::Error;
use crate::load::{Load, Task};
use crate::security::Security;

pub use programs::Peers;

/// An implementation of gRPC, or the floor under all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Implementation {
    Ours,
    Tonic,
    H2,
    ConnectRust,
    Volo,
    Cpp,
    Go,
    Grpcio,
    Floor,
}

/// An implementation that runs inside this program.
pub trait Peer {
    type Client: Client;

    /// Serves until the process ends; `ready` hears the address.
    fn serve(
        security: Security,
        ready: impl FnOnce(&str),
    ) -> impl Future<Output = Result<(), Error>>;
}

/// A client over one connection; clones share it.
pub trait Client: Clone + Send + Sync + 'static {
    /// One open call with messages both ways.
    type Chat: Send + 'static;

    /// Where connections go, and with which credentials: made once.
    type Target: Clone + Send + Sync + 'static;

    /// Takes several addresses, with commas between them, where a load has several
    /// servers.
    fn target(address: &str, security: Security) -> Result<Self::Target, Error>;

    /// May leave the connecting to the first call.
    fn connect(target: &Self::Target) -> impl Future<Output = Result<Self, Error>> + Send;

    /// A unary call of a greeting; the reply's text.
    fn greet(&self, task: Task) -> impl Future<Output = Result<String, Error>> + Send;

    /// A unary call of so many bytes; how many came back.
    fn echo(&self, size: usize) -> impl Future<Output = Result<usize, Error>> + Send;

    /// Reads a stream of so many messages; how many came.
    fn pull(&self, count: usize) -> impl Future<Output = Result<usize, Error>> + Send;

    /// Sends a stream of so many messages; how many the server counted.
    fn push(&self, count: usize) -> impl Future<Output = Result<usize, Error>> + Send;

    /// Sends and reads streams of so many messages at once; how many came.
    fn chat(&self, count: usize) -> impl Future<Output = Result<usize, Error>> + Send;

    /// Opens a call with messages both ways, and exchanges one. Not all servers
    /// answer before the first message, and not all clients give the call before
    /// the answer.
    fn open(&self) -> impl Future<Output = Result<Self::Chat, Error>> + Send;

    /// Sends one message on it and waits for the reply's text.
    fn exchange(chat: &mut Self::Chat) -> impl Future<Output = Result<String, Error>> + Send;
}

impl Implementation {
    /// In the order in which a round runs them, and in which tables show them.
    pub const ALL: [Self; 9] = [
        Self::Ours,
        Self::Tonic,
        Self::H2,
        Self::ConnectRust,
        Self::Volo,
        Self::Cpp,
        Self::Go,
        Self::Grpcio,
        Self::Floor,
    ];

    /// Whether it is in the package `rivals`, which full runs alone build.
    pub fn is_rival(self) -> bool {
        matches!(self, Self::ConnectRust | Self::Volo)
    }

    /// Whether it is a program of its own, in another language.
    pub fn is_foreign(self) -> bool {
        matches!(self, Self::Cpp | Self::Go | Self::Grpcio)
    }

    /// Whether its two sides understand each other alone.
    pub fn is_alone(self) -> bool {
        self == Self::Floor
    }

    /// Whether its server can be asked for a load.
    pub fn serves(self, load: Load) -> bool {
        self.brings(load) && !(self.is_foreign() && load.task.is_probed())
    }

    /// Whether its client can do a load.
    pub fn drives(self, load: Load) -> bool {
        let task = load.task;
        self.brings(load) && !(self.is_foreign() && (task.is_probed() || task.is_idle()))
    }

    /// TLS and channels to several servers are between those that bring them. The
    /// floor has no handlers, and nothing that idles but sockets.
    fn brings(self, load: Load) -> bool {
        if self == Self::Floor && (load.task.is_probed() || load.task.is_idle()) {
            return false;
        }
        let is_plain = load.security == Security::Plain && load.task.servers() == 1;
        is_plain || matches!(self, Self::Ours | Self::Tonic)
    }

    /// It gets the load divided by this, so that a round ends in time.
    pub fn pace(self) -> usize {
        match self {
            Self::Ours | Self::Tonic | Self::H2 | Self::ConnectRust | Self::Volo | Self::Floor => 1,
            Self::Cpp | Self::Go => 4,
            Self::Grpcio => 20,
        }
    }
}

impl fmt::Display for Implementation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ours => "ours",
            Self::Tonic => "tonic",
            Self::H2 => "h2",
            Self::ConnectRust => "connect-rust",
            Self::Volo => "volo-grpc",
            Self::Cpp => "grpc++",
            Self::Go => "grpc-go",
            Self::Grpcio => "grpcio",
            Self::Floor => "floor",
        })
    }
}

impl FromStr for Implementation {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|each| each.to_string() == name);
        found.ok_or_else(|| {
            let known = Self::ALL.map(|each| each.to_string()).join(", ");
            format!("no implementation is called '{name}'; there are {known}").into()
        })
    }
}
