//! Values: the reports about watched files that changed.

use std::fmt;
use std::time::SystemTime;

use prost_types::Timestamp;

use crate::credentials::error::CredentialsError;

/// The result of a change of watched files. [`Display`](fmt::Display) gives all of it in one
/// line.
#[derive(Debug)]
#[non_exhaustive]
pub enum CertificateReload {
    /// The new files are valid: handshakes use them from now on.
    Taken {
        /// The files, as they were named, with commas.
        files: String,
        /// When the first of the new certificates expires; `None` if there are only roots.
        valid_until: Option<SystemTime>,
    },
    /// The new files cannot be used, so the old certificates stay in use. The files are
    /// checked again each time they are read; each refused content is reported once.
    Refused {
        /// The files, as they were named, with commas.
        files: String,
        /// What is wrong, and in which file.
        error: CredentialsError,
        /// When the first of the old certificates expires; `None` if there are only roots.
        valid_until: Option<SystemTime>,
    },
}

impl CertificateReload {
    /// Whether it is [`Refused`](Self::Refused), which needs an operator's attention.
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

/// The time in RFC 3339 format, in UTC.
pub(super) fn date(time: SystemTime) -> Timestamp {
    time.into()
}
