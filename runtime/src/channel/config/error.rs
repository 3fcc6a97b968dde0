//! The error of an invalid service config, and its place in the config. Values only.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::status::{Code, Phase, Status};

/// Why a service config is invalid, and where.
///
/// Converted to a [`Status`], it has the code `UNAVAILABLE`: calls for which there is no
/// valid config fail with it.
#[derive(Clone, Debug)]
pub struct ServiceConfigError {
    path: String,
    reason: String,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl ServiceConfigError {
    pub(crate) fn new(path: &ConfigPath, reason: impl Into<String>) -> Self {
        Self {
            path: path.0.clone(),
            reason: reason.into(),
            source: None,
        }
    }

    #[cfg(feature = "service-config")]
    pub(crate) fn with_source(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// The field's path in the config's JSON form, such as
    /// `methodConfig[0].retryPolicy.maxAttempts`; empty for the whole config.
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl fmt::Display for ServiceConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the service config is invalid: ")?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.reason)
    }
}

impl Error for ServiceConfigError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| &**source as _)
    }
}

impl From<ServiceConfigError> for Status {
    fn from(error: ServiceConfigError) -> Self {
        let text = error.to_string();
        Self::new(Code::Unavailable, text)
            .with_phase(Phase::Resolve)
            .with_source(error)
    }
}

/// A path in a service config, by the names of its JSON form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ConfigPath(String);

impl ConfigPath {
    pub(crate) fn field(&self, name: &str) -> Self {
        let dot = if self.0.is_empty() { "" } else { "." };
        Self(format!("{}{dot}{name}", self.0))
    }

    pub(crate) fn item(&self, index: usize) -> Self {
        Self(format!("{}[{index}]", self.0))
    }
}
