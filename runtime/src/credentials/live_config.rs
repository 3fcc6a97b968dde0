//! The rustls configuration for the next handshake: fixed, or built from a source's current
//! certificates and rebuilt when they change.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use super::certificates::{CertificateSource, Certificates};
use super::error::CredentialsError;

/// Clones share the configuration.
pub(crate) enum LiveConfig<C> {
    Fixed(Arc<C>),
    Sourced(Arc<SourcedConfig<C>>),
}

/// A configuration and the certificates that it was built from. The configuration holds the
/// sessions that can be resumed, so they are dropped with it.
pub(crate) struct SourcedConfig<C> {
    source: Box<dyn CertificateSource>,
    make: MakeConfig<C>,
    made: Mutex<Option<(Certificates, Arc<C>)>>,
}

type MakeConfig<C> = Box<dyn Fn(&Certificates) -> Result<C, CredentialsError> + Send + Sync>;

impl<C> LiveConfig<C> {
    /// Builds the first configuration at once, so that errors appear when credentials are
    /// built.
    pub(super) fn of_source(
        source: impl CertificateSource,
        make: impl Fn(&Certificates) -> Result<C, CredentialsError> + Send + Sync + 'static,
    ) -> Result<Self, CredentialsError> {
        let sourced = SourcedConfig {
            source: Box::new(source),
            make: Box::new(make),
            made: Mutex::new(None),
        };
        sourced.current()?;
        Ok(Self::Sourced(Arc::new(sourced)))
    }

    /// The configuration for a handshake that begins now.
    pub(crate) fn current(&self) -> Result<Arc<C>, CredentialsError> {
        match self {
            Self::Fixed(config) => Ok(Arc::clone(config)),
            Self::Sourced(sourced) => sourced.current(),
        }
    }
}

impl<C> SourcedConfig<C> {
    /// Asks the source under the lock, so that a slower caller does not put an older
    /// configuration back.
    fn current(&self) -> Result<Arc<C>, CredentialsError> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let certificates = catch_unwind(AssertUnwindSafe(|| self.source.certificates()));
        let Ok(certificates) = certificates else {
            let problem = "it panicked, where it was asked for the certificates of a handshake";
            return Err(CredentialsError::new("certificate source", problem));
        };
        if let Some((of, config)) = &*made
            && of.is(&certificates)
        {
            return Ok(Arc::clone(config));
        }
        let config = Arc::new((self.make)(&certificates)?);
        *made = Some((certificates, Arc::clone(&config)));
        Ok(config)
    }
}

impl<C> Clone for LiveConfig<C> {
    fn clone(&self) -> Self {
        match self {
            Self::Fixed(config) => Self::Fixed(Arc::clone(config)),
            Self::Sourced(sourced) => Self::Sourced(Arc::clone(sourced)),
        }
    }
}

/// Shows only whether it is fixed.
impl<C> fmt::Debug for LiveConfig<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fixed(_) => "Fixed",
            Self::Sourced(_) => "Sourced",
        })
    }
}
