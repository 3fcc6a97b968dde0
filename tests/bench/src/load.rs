//! What a client asks of a server, as values and as the words of a command line that every peer
//! understands, whatever its language.

use std::fmt;
use std::str::FromStr;

use crate::Error;
use crate::security::Security;

/// What is done again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// A unary call that answers at once.
    Hello,
    /// The same, over one channel to three servers.
    Balanced,
    /// A unary call whose handler awaits once.
    Yield,
    /// A unary call whose handler waits for a millisecond.
    Sleep,
    /// A unary call whose handler burns 200 µs of CPU time.
    Spin,
    /// A unary call with so many bytes each way.
    Echo(usize),
    /// Messages of the server's stream.
    Pull,
    /// Messages of the client's stream.
    Push,
    /// Messages both ways at once.
    Chat,
    /// Messages both ways, one in flight on a stream.
    PingPong,
    /// A connection that is opened, used for a call, and closed.
    Connect,
    /// A connection that made one call and stays open.
    Connections,
    /// A stream that carried a message each way and stays open.
    Streams,
}

/// A task, how many at a time, and how many in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    pub task: Task,
    pub connections: usize,
    /// Calls or streams open at once on each connection.
    pub in_flight: usize,
    /// Calls, messages, connections or streams in all.
    pub count: usize,
    /// Whether the time that each takes is kept; keeping it costs the client
    /// some.
    pub timed: bool,
    pub security: Security,
}

impl Task {
    /// What one of them is called.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Hello
            | Self::Balanced
            | Self::Yield
            | Self::Sleep
            | Self::Spin
            | Self::Echo(_) => "call",
            Self::Pull | Self::Push | Self::Chat => "message",
            Self::PingPong => "round trip",
            Self::Connect | Self::Connections => "connection",
            Self::Streams => "stream",
        }
    }

    /// How many servers a channel leads to.
    pub fn servers(self) -> usize {
        if self == Self::Balanced { 3 } else { 1 }
    }

    /// Whether a call has one message each way.
    pub fn is_unary(self) -> bool {
        self.unit() == "call"
    }

    /// Whether what was opened stays open, and what counts is the memory it takes.
    pub fn is_idle(self) -> bool {
        matches!(self, Self::Connections | Self::Streams)
    }

    /// Whether the handlers keep the server busy or waiting, so that what counts
    /// is how a cheap call on the same connection fares meanwhile.
    pub fn is_probed(self) -> bool {
        matches!(self, Self::Yield | Self::Sleep | Self::Spin)
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hello => "hello",
            Self::Balanced => "balanced",
            Self::Yield => "yield",
            Self::Sleep => "sleep",
            Self::Spin => "spin",
            Self::Echo(size) => return write!(f, "echo-{size}"),
            Self::Pull => "pull",
            Self::Push => "push",
            Self::Chat => "chat",
            Self::PingPong => "ping-pong",
            Self::Connect => "connect",
            Self::Connections => "connections",
            Self::Streams => "streams",
        })
    }
}

impl FromStr for Task {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self, Error> {
        if let Some(size) = word.strip_prefix("echo-") {
            return Ok(Self::Echo(size.parse()?));
        }
        let all = [
            Self::Hello,
            Self::Balanced,
            Self::Yield,
            Self::Sleep,
            Self::Spin,
            Self::Pull,
            Self::Push,
            Self::Chat,
            Self::PingPong,
            Self::Connect,
            Self::Connections,
            Self::Streams,
        ];
        all.into_iter()
            .find(|task| task.to_string() == word)
            .ok_or_else(|| format!("no task is called '{word}'").into())
    }
}

impl Load {
    pub const fn new(task: Task, connections: usize, in_flight: usize, count: usize) -> Self {
        Self {
            task,
            connections,
            in_flight,
            count,
            timed: false,
            security: Security::Plain,
        }
    }

    /// The same over TLS.
    #[must_use]
    pub const fn over_tls(mut self) -> Self {
        self.security = Security::Tls;
        self
    }

    /// Calls or streams at once, on all connections together.
    pub fn width(&self) -> usize {
        self.connections * self.in_flight
    }

    /// The share of one of [`width`](Self::width) in the whole: at least one, and
    /// the same for all, so that they end together.
    pub fn share(&self) -> usize {
        self.count.div_ceil(self.width()).max(1)
    }

    /// How many there are in the end: the count, rounded up to equal shares where
    /// it is shared.
    pub fn total(&self) -> usize {
        if self.task.is_idle() {
            self.count
        } else {
            self.share() * self.width()
        }
    }

    /// `TASK CONNECTIONS IN-FLIGHT COUNT TIMED SECURITY`, for a peer's command line.
    pub fn words(&self) -> [String; 6] {
        [
            self.task.to_string(),
            self.connections.to_string(),
            self.in_flight.to_string(),
            self.count.to_string(),
            u8::from(self.timed).to_string(),
            self.security.to_string(),
        ]
    }

    pub fn from_words(words: &[String]) -> Result<Self, Error> {
        let [task, connections, in_flight, count, timed, security] = words else {
            return Err(format!("not a load: {words:?}").into());
        };
        Ok(Self {
            task: task.parse()?,
            connections: connections.parse()?,
            in_flight: in_flight.parse()?,
            count: count.parse()?,
            timed: timed == "1",
            security: security.parse()?,
        })
    }
}
