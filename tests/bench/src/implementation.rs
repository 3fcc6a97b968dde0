//! Who is measured, on which runtime, as names that a command line can carry.
//! Everything that differs between implementations is behind [`serve`] and
//! [`Client`].

use std::fmt;
use std::str::FromStr;

use tokio::runtime::{Builder, Runtime};

use crate::{Error, ours, tonic_peer};

/// An implementation of gRPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Implementation {
    Ours,
    Tonic,
}

/// The tokio runtime that a process runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavor {
    CurrentThread,
    /// tokio's own choice of threads: one for each core the process may use,
    /// which is one core here.
    MultiThread,
}

impl Implementation {
    /// In the order in which a round runs them.
    pub const ALL: [Self; 2] = [Self::Ours, Self::Tonic];
}

impl Flavor {
    pub const ALL: [Self; 2] = [Self::CurrentThread, Self::MultiThread];

    pub fn runtime(self) -> Result<Runtime, Error> {
        let mut builder = match self {
            Self::CurrentThread => Builder::new_current_thread(),
            Self::MultiThread => Builder::new_multi_thread(),
        };
        Ok(builder.enable_all().build()?)
    }
}

impl fmt::Display for Implementation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ours => "ours",
            Self::Tonic => "tonic",
        })
    }
}

impl fmt::Display for Flavor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CurrentThread => "current-thread",
            Self::MultiThread => "multi-thread",
        })
    }
}

impl FromStr for Implementation {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|each| each.to_string() == name);
        found.ok_or_else(|| format!("no implementation is called '{name}'").into())
    }
}

impl FromStr for Flavor {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|each| each.to_string() == name);
        found.ok_or_else(|| format!("no runtime is called '{name}'").into())
    }
}

/// Serves until the process ends; `ready` hears the address.
pub async fn serve(implementation: Implementation, ready: impl FnOnce(&str)) -> Result<(), Error> {
    match implementation {
        Implementation::Ours => ours::serve(ready).await,
        Implementation::Tonic => tonic_peer::serve(ready).await,
    }
}

/// A client over one channel; clones share it.
#[derive(Clone, Debug)]
pub enum Client {
    Ours(ours::Client),
    Tonic(tonic_peer::Client),
}

impl Client {
    /// Has to be made on a runtime; connects with its first call.
    pub fn new(implementation: Implementation, address: &str) -> Result<Self, Error> {
        Ok(match implementation {
            Implementation::Ours => Self::Ours(ours::Client::new(address)?),
            Implementation::Tonic => Self::Tonic(tonic_peer::Client::new(address)?),
        })
    }

    /// One call; gives back the reply.
    pub async fn call(&self) -> Result<String, Error> {
        match self {
            Self::Ours(client) => client.call().await,
            Self::Tonic(client) => client.call().await,
        }
    }
}
