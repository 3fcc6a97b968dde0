//! What is told of certificates that were looked at again. Values.

use std::fmt;
use std::time::SystemTime;

use prost_types::Timestamp;

use crate::credentials::error::CredentialsError;

/// What became of files that changed. Its [`Display`](fmt::Display) says all of it in a
/// line, for whoever is woken by it.
#[derive(Debug)]
#[non_exhaustive]
pub enum CertificateReload {
    /// Handshakes use them from now on.
    Taken {
        /// The files, as they were named, with commas.
        files: String,
        /// When the first of the new certificates expires; `None` where there are roots
        /// alone.
        valid_until: Option<SystemTime>,
    },
    /// They cannot be used, so those from before stay in use. They are tried again at each
    /// look; it is told once for each content that is refused.
    Refused {
        /// The files, as they were named, with commas.
        files: String,
        /// What is wrong, and in which of them.
        error: CredentialsError,
        /// When the first of those that stay expires; `None` where there are roots alone.
        valid_until: Option<SystemTime>,
    },
}

impl CertificateReload {
    /// Whether somebody has to look after it: it is [`Refused`](Self::Refused).
    pub fn is_refused(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }
}

impl fmt::Display for CertificateReload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken { files, valid_until } => {
                write!(f, "the new certificates of {files} are in use")?;
                valid_until.map_or(Ok(()), |at| write!(f, ", valid until {}", date(at)))
            }
            Self::Refused {
                files,
                error,
                valid_until,
            } => {
                write!(
                    f,
                    "the new certificates of {files} were not taken: {error}; the old ones"
                )?;
                if let Some(at) = valid_until {
                    write!(f, ", valid until {},", date(*at))?;
                }
                f.write_str(" stay in use")
            }
        }
    }
}

/// As RFC 3339 has it, in UTC.
pub(super) fn date(time: SystemTime) -> Timestamp {
    time.into()
}
