//! The one error of a build. It is read as cargo prints it, so its `Debug` must
//! be the same text as its `Display`.

use std::fmt;
use std::io;
use std::path::Path;

/// Why a build failed.
///
/// The text is complete: for each mistake in a `.proto` file it has
/// `path:line:column: message` and shows the line, a blank line between them.
/// `Debug` gives the same text,
/// because that is what a `main` that returns `Result` prints.
pub struct Error {
    text: String,
    source: Option<io::Error>,
}

impl Error {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            source: None,
        }
    }

    /// One error of all that was found.
    pub(crate) fn of_all(texts: &[String]) -> Self {
        Self::new(texts.join("\n\n"))
    }

    /// `cannot <what> <path>: <cause>`
    pub(crate) fn io(what: &str, path: &Path, cause: io::Error) -> Self {
        Self {
            text: format!("cannot {what} {}: {cause}", path.display()),
            source: Some(cause),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source
            .as_ref()
            .map(|cause| cause as &(dyn std::error::Error + 'static))
    }
}
