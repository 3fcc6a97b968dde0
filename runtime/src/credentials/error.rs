//! What is wrong with credentials. A value only; it must never show a key.

use std::error::Error;
use std::fmt;

/// Credentials that cannot be used: which input it is, what is wrong with it,
/// and what would be right.
///
/// It is told where the credentials are built, before anything connects or
/// listens.
#[derive(Debug)]
pub struct CredentialsError {
    input: &'static str,
    problem: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl CredentialsError {
    pub(super) fn new(input: &'static str, problem: impl Into<String>) -> Self {
        Self {
            input,
            problem: problem.into(),
            source: None,
        }
    }

    pub(super) fn caused_by(
        input: &'static str,
        problem: impl Into<String>,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self {
            source: Some(source.into()),
            ..Self::new(input, problem)
        }
    }
}

impl fmt::Display for CredentialsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.input, self.problem)
    }
}

impl Error for CredentialsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let source = self.source.as_deref()?;
        Some(source)
    }
}
