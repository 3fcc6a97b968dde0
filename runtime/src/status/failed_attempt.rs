//! An attempt of a call that failed: a value for people and logs.

use std::fmt;
use std::time::Duration;

use super::Status;
use crate::code::Code;

/// One attempt of a call that was attempted several times, and how it failed:
/// [`Status::attempts`] has them, oldest first.
///
/// Displayed as `10.0.0.1:50051 after 12ms: UNAVAILABLE: no`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedAttempt {
    code: Code,
    message: String,
    peer: Option<String>,
    took: Option<Duration>,
}

impl FailedAttempt {
    pub(crate) fn new(status: &Status, peer: Option<String>, took: Option<Duration>) -> Self {
        Self {
            code: status.code(),
            message: status.message().to_owned(),
            peer,
            took,
        }
    }

    /// The code of its failure.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The message of its failure.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The server's address; `None` if the attempt had no connection.
    pub fn peer(&self) -> Option<&str> {
        self.peer.as_deref()
    }

    /// The time from the start of its stream to its end; `None` if it had no stream.
    pub fn took(&self) -> Option<Duration> {
        self.took
    }
}

impl fmt::Display for FailedAttempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.peer.as_deref().unwrap_or("no connection"))?;
        if let Some(took) = self.took {
            write!(f, " after {took:.0?}")?;
        }
        write!(f, ": {}", self.code.name())?;
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        Ok(())
    }
}
