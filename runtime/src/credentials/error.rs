//! What is wrong with credentials. An error contains no key.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::path::PathBuf;

/// Credentials that cannot be used. The text names the input, what is wrong with it and what
/// to give instead.
///
/// It is returned when the credentials are built, before anything connects or listens.
#[derive(Debug)]
pub struct CredentialsError {
    input: Cow<'static, str>,
    problem: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl CredentialsError {
    pub(super) fn new(input: impl Into<Cow<'static, str>>, problem: impl Into<String>) -> Self {
        Self {
            input: input.into(),
            problem: problem.into(),
            source: None,
        }
    }

    pub(super) fn caused_by(
        input: impl Into<Cow<'static, str>>,
        problem: impl Into<String>,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self {
            source: Some(source.into()),
            ..Self::new(input, problem)
        }
    }

    /// The same, found in files.
    pub(super) fn in_files(mut self, files: &[&PathBuf]) -> Self {
        let files = files.iter().map(|file| file.display().to_string());
        let files = files.collect::<Vec<_>>().join(" and ");
        self.input = format!("{} in {files}", self.input).into();
        self
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
