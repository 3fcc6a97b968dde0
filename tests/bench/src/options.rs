//! What the command line says.

use std::path::PathBuf;

use crate::Error;

/// What `--help` prints.
pub const HELP: &str = "\
Measures what a unary call costs, side by side with other implementations.

  --quick          2 rounds of 100,000 calls instead of 5 of 300,000
  --rounds N       so many rounds
  --calls N        so many calls in each measurement
  --json PATH      where the figures go as JSON (default: this
                   package's target/bench.json)
";

/// What a run does.
#[derive(Debug)]
pub struct Options {
    pub rounds: usize,
    pub calls: usize,
    pub json: PathBuf,
    pub help: bool,
}

impl Options {
    pub fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, Error> {
        let (mut quick, mut help, mut rounds, mut calls) = (false, false, None, None);
        let mut json = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/target/bench.json"));
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            match argument.as_str() {
                "--quick" => quick = true,
                "--help" | "-h" => help = true,
                "--rounds" => rounds = Some(positive(&value()?)?),
                "--calls" => calls = Some(positive(&value()?)?),
                "--json" => json = value()?.into(),
                _ => return Err(format!("unknown option '{argument}'; see --help").into()),
            }
        }
        let (default_rounds, default_calls) = if quick { (2, 100_000) } else { (5, 300_000) };
        Ok(Self {
            rounds: rounds.unwrap_or(default_rounds),
            calls: calls.unwrap_or(default_calls),
            json,
            help,
        })
    }
}

fn positive(text: &str) -> Result<usize, Error> {
    match text.parse() {
        Ok(0) | Err(_) => Err(format!("'{text}' is not a positive number").into()),
        Ok(number) => Ok(number),
    }
}
