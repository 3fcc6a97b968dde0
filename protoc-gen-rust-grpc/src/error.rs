//! Errors of a request, for the author of the `.proto` file: they name places in that file,
//! not in the generator's source.

use std::fmt;

/// One message for the author of a `.proto` file, with its place in the file.
///
/// `Display` prints `file:line:column: message`, with as much of the place as is known, and
/// the help on a separate line. The file name is that of the descriptors, relative to an
/// include path; [`Diagnostic::file`] and [`Diagnostic::position`] let a front-end turn that
/// into a path on disk and show the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    file: Option<String>,
    position: Option<(usize, usize)>,
    message: String,
    help: Option<String>,
}

impl Diagnostic {
    /// Of the whole run: an option, a request that cannot be decoded.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            file: None,
            position: None,
            message: message.into(),
            help: None,
        }
    }

    pub(crate) fn in_file(file: &str, message: impl Into<String>) -> Self {
        Self {
            file: Some(file.to_owned()),
            ..Self::new(message)
        }
    }

    pub(crate) fn at(file: &str, position: (usize, usize), message: impl Into<String>) -> Self {
        Self {
            position: Some(position),
            ..Self::in_file(file, message)
        }
    }

    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The file's name in the descriptors, or `None` where it is not about one
    /// file.
    pub fn file(&self) -> Option<&str> {
        self.file.as_deref()
    }

    /// Line and column, both counted from 1, or `None` where the descriptors
    /// carry no source info.
    pub fn position(&self) -> Option<(usize, usize)> {
        self.position
    }

    /// The message, without the place.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do about it, if the message does not say it.
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{file}:")?;
            if let Some((line, column)) = self.position {
                write!(f, "{line}:{column}:")?;
            }
            f.write_str(" ")?;
        }
        f.write_str(&self.message)?;
        if let Some(help) = &self.help {
            write!(f, "\n  = help: {help}")?;
        }
        Ok(())
    }
}

/// Why no code was generated: all mistakes that were found, in the order of the files.
///
/// `Display` prints the diagnostics one after the other, each on a separate line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// At least one.
    diagnostics: Vec<Diagnostic>,
}

impl Error {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Diagnostic::new(message).into()
    }

    pub(crate) fn in_file(file: &str, message: impl Into<String>) -> Self {
        Diagnostic::in_file(file, message).into()
    }

    /// The diagnostics; at least one.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }
}

impl From<Diagnostic> for Error {
    fn from(diagnostic: Diagnostic) -> Self {
        Self {
            diagnostics: vec![diagnostic],
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.diagnostics.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            diagnostic.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// Collects mistakes, so that one run reports all of them.
#[derive(Debug, Default)]
pub(crate) struct Mistakes {
    found: Vec<Diagnostic>,
}

impl Mistakes {
    /// Keeps the error; gives the value if there is one.
    pub(crate) fn note<T>(&mut self, result: Result<T, Error>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.add(error);
                None
            }
        }
    }

    /// Keeps the error.
    pub(crate) fn add(&mut self, error: Error) {
        for diagnostic in error.diagnostics {
            if !self.found.contains(&diagnostic) {
                self.found.push(diagnostic);
            }
        }
    }

    /// Fails if anything was found.
    pub(crate) fn finish(self) -> Result<(), Error> {
        if self.found.is_empty() {
            Ok(())
        } else {
            Err(Error {
                diagnostics: self.found,
            })
        }
    }
}
