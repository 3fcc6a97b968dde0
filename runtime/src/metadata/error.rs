//! Why metadata was refused. The text names the key and never the value, which
//! may be a secret.

use std::error::Error;
use std::fmt;

/// A key or a value that cannot be [`Metadata`](crate::Metadata).
///
/// In a handler `?` turns it into an `INTERNAL` [`Status`](crate::Status), since
/// the fault is the handler's and not its caller's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataError {
    key: String,
    problem: Problem,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Problem {
    Key,
    Reserved,
    Value,
    TextForBinary,
    BinaryForText,
    Base64,
}

impl MetadataError {
    pub(super) fn new(key: &str, problem: Problem) -> Self {
        Self {
            key: key.to_owned(),
            problem,
        }
    }

    /// The key, as it was given.
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl fmt::Display for MetadataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = &self.key;
        match self.problem {
            Problem::Key => write!(
                f,
                "metadata key {key:?} is malformed: keys are made of 0-9 a-z _ - ."
            ),
            Problem::Reserved => write!(f, "metadata key {key:?} is reserved: gRPC sets it itself"),
            Problem::Value => write!(
                f,
                "the value of metadata key {key:?} is not printable ASCII: a key that ends in -bin can hold any bytes"
            ),
            Problem::TextForBinary => write!(
                f,
                "metadata key {key:?} ends in -bin and holds bytes, not text: use append_bin or insert_bin"
            ),
            Problem::BinaryForText => write!(
                f,
                "metadata key {key:?} holds text: only a key that ends in -bin can hold bytes"
            ),
            Problem::Base64 => write!(f, "the value of metadata key {key:?} is not base64"),
        }
    }
}

impl Error for MetadataError {}
