//! The command line of the interop programs: `--name=value`, `--name value`, or the same with one
//! dash, as other languages' drivers write them. An unknown flag is an error.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

/// A command line that cannot be followed.
pub type FlagError = String;

/// What the command line says; each flag is taken once.
#[derive(Debug)]
pub struct Flags(BTreeMap<String, String>);

impl Flags {
    /// Reads arguments, without the program's name.
    ///
    /// A flag whose next argument is a flag too, or missing, is a switch: `true`.
    ///
    /// # Errors
    /// An argument is not a flag, or a flag is given twice.
    ///
    /// ```
    /// use grpc_tests::flags::Flags;
    ///
    /// let arguments = ["--server_port=80", "-use_tls", "--test_case", "ping_pong"];
    /// let mut flags = Flags::parse(arguments.map(str::to_owned))?;
    /// assert_eq!(flags.take("server_port", 443_u16)?, 80);
    /// assert!(flags.take("use_tls", false)?);
    /// assert_eq!(flags.take("test_case", String::new())?, "ping_pong");
    /// assert_eq!(flags.take("server_host", "localhost".to_owned())?, "localhost");
    /// flags.finish()?;
    /// # Ok::<(), String>(())
    /// ```
    pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self, FlagError> {
        let mut flags = BTreeMap::new();
        let mut arguments = arguments.into_iter().peekable();
        while let Some(argument) = arguments.next() {
            let Some(flag) = name(&argument) else {
                return Err(format!("'{argument}' is not a flag"));
            };
            let (flag, value) = if let Some((flag, value)) = flag.split_once('=') {
                (flag.to_owned(), value.to_owned())
            } else {
                let value = arguments.next_if(|next| name(next).is_none());
                (flag.to_owned(), value.unwrap_or_else(|| "true".to_owned()))
            };
            if flags.contains_key(&flag) {
                return Err(format!("--{flag} is given twice"));
            }
            flags.insert(flag, value);
        }
        Ok(Self(flags))
    }

    /// The value of a flag, or `default` without it.
    ///
    /// # Errors
    /// The value is not one of its kind.
    pub fn take<T>(&mut self, flag: &str, default: T) -> Result<T, FlagError>
    where
        T: FromStr,
        T::Err: Display,
    {
        match self.0.remove(flag) {
            None => Ok(default),
            Some(value) => value
                .parse()
                .map_err(|error| format!("--{flag}={value}: {error}")),
        }
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// A flag was not asked for: the program does not know it.
    pub fn finish(self) -> Result<(), FlagError> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(flag) => Err(format!("--{flag} is not known here")),
        }
    }
}

fn name(argument: &str) -> Option<&str> {
    let flag = argument.strip_prefix('-')?;
    let flag = flag.strip_prefix('-').unwrap_or(flag);
    // A negative number is a value.
    let begins = flag.chars().next()?;
    begins.is_ascii_alphabetic().then_some(flag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Flags, FlagError> {
        Flags::parse(arguments.iter().map(|&argument| argument.to_owned()))
    }

    #[test]
    fn mistakes_are_named() {
        assert_eq!(parse(&["port"]).unwrap_err(), "'port' is not a flag");
        assert_eq!(
            parse(&["--port=1", "-port=2"]).unwrap_err(),
            "--port is given twice"
        );
        let mut flags = parse(&["--port", "-1", "--more"]).unwrap();
        let error = flags.take("port", 0_u16).unwrap_err();
        assert!(error.starts_with("--port=-1: "), "{error}");
        assert_eq!(flags.finish().unwrap_err(), "--more is not known here");
    }
}
