//! What can be wrong with a request, told to the author of the `.proto` file.
//! An error must never name a place in the generator's own source.

use std::fmt;

/// Why nothing was generated.
///
/// `Display` gives `file:line:column: message`, with as much of the place as
/// is known. The file is named as the descriptors name it, that is relative to
/// an include path; [`Error::file`] and [`Error::position`] let a front-end
/// turn that into a path on disk and show the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    file: Option<String>,
    position: Option<(usize, usize)>,
    message: String,
}

impl Error {
    /// An error of the whole run: an option, a request that cannot be decoded.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            file: None,
            position: None,
            message: message.into(),
        }
    }

    pub(crate) fn in_file(file: &str, message: impl Into<String>) -> Self {
        Self {
            file: Some(file.to_owned()),
            position: None,
            message: message.into(),
        }
    }

    pub(crate) fn at(file: &str, position: (usize, usize), message: impl Into<String>) -> Self {
        Self {
            file: Some(file.to_owned()),
            position: Some(position),
            message: message.into(),
        }
    }

    /// The file's name in the descriptors, or `None` where the error is not of
    /// one file.
    pub fn file(&self) -> Option<&str> {
        self.file.as_deref()
    }

    /// Line and column, both counted from 1, or `None` where the descriptors
    /// carry no source info.
    pub fn position(&self) -> Option<(usize, usize)> {
        self.position
    }

    /// The text without the place.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{file}:")?;
            if let Some((line, column)) = self.position {
                write!(f, "{line}:{column}:")?;
            }
            f.write_str(" ")?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
