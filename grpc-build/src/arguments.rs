//! Parses the command line. An argument that a command does not use is an error.

use std::path::PathBuf;

use grpc_build::{Config, FrontEnd};

pub(crate) const USAGE: &str = "\
Usage: grpc-build COMMAND [-I DIRECTORY]... [OPTION]... FILE.proto...

Commands:
  generate   write Rust for the files into --out
  check      fail unless --out holds exactly what generate would write
  record     write the files' descriptors to --to, for breaking to compare with
  breaking   fail if the files break what --against has recorded

Options:
  -I, --include DIRECTORY     what imports are relative to; may be repeated (default: .)
      --out DIRECTORY         generate, check: where generated code is
      --opt NAME=VALUE        generate, check: an option of the generator; may be repeated
      --against RECORD        breaking, generate, check: what must not be broken
      --to RECORD             record: the file to write
      --protoc PATH           read the files with this protoc
      --descriptor-set PATH   read this FileDescriptorSet in place of the files
  -h, --help
  -V, --version";

/// The command and its arguments.
#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) command: Command,
    pub(crate) config: Config,
    pub(crate) protos: Vec<PathBuf>,
    pub(crate) includes: Vec<PathBuf>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Help,
    Version,
    Generate,
    Check,
    Record(PathBuf),
    Breaking,
}

impl Arguments {
    pub(crate) fn parse(words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut parser = Parser::default();
        let mut words = words;
        while let Some(word) = words.next() {
            parser.word(&word, &mut words)?;
        }
        parser.finish()
    }
}

/// The words as they come.
#[derive(Debug, Default)]
struct Parser {
    command: Option<String>,
    protos: Vec<PathBuf>,
    includes: Vec<PathBuf>,
    opts: Vec<(String, String)>,
    out: Option<String>,
    against: Option<String>,
    to: Option<String>,
    protoc: Option<String>,
    descriptor_set: Option<String>,
}

impl Parser {
    fn word(&mut self, word: &str, rest: &mut dyn Iterator<Item = String>) -> Result<(), String> {
        if matches!(word, "-h" | "--help" | "-V" | "--version") {
            self.command = Some(word.to_owned());
            return Ok(());
        }
        let (name, value) = match word.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name, Some(value.to_owned())),
            _ => match word.strip_prefix("-I") {
                Some(directory) if !directory.is_empty() => ("-I", Some(directory.to_owned())),
                _ => (word, None),
            },
        };
        if !name.starts_with('-') {
            if self.command.is_none() {
                self.command = Some(word.to_owned());
            } else {
                self.protos.push(PathBuf::from(word));
            }
            return Ok(());
        }
        let mut value = || {
            value
                .clone()
                .or_else(|| rest.next())
                .ok_or_else(|| format!("{name} needs a value"))
        };
        let single = match name {
            "-I" | "--include" => {
                self.includes.push(PathBuf::from(value()?));
                return Ok(());
            }
            "--opt" => {
                let value = value()?;
                let (name, value) = value
                    .split_once('=')
                    .ok_or_else(|| format!("--opt {value}: it is written NAME=VALUE"))?;
                self.opts.push((name.to_owned(), value.to_owned()));
                return Ok(());
            }
            "--out" => &mut self.out,
            "--against" => &mut self.against,
            "--to" => &mut self.to,
            "--protoc" => &mut self.protoc,
            "--descriptor-set" => &mut self.descriptor_set,
            _ => return Err(format!("there is no option {name}")),
        };
        if single.replace(value()?).is_some() {
            return Err(format!("{name} is given twice"));
        }
        Ok(())
    }

    fn finish(self) -> Result<Arguments, String> {
        let mut config = Config::new();
        let name = self.command.as_deref().unwrap_or_default();
        let generates = matches!(name, "generate" | "check");
        let command = match name {
            "-h" | "--help" => Command::Help,
            "-V" | "--version" => Command::Version,
            "generate" => Command::Generate,
            "check" => Command::Check,
            "breaking" => Command::Breaking,
            "record" => Command::Record(PathBuf::from(self.to.as_deref().unwrap_or_default())),
            "" => return Err("no command is given".to_owned()),
            other => return Err(format!("there is no command `{other}`")),
        };
        if matches!(command, Command::Help | Command::Version) {
            return Ok(Arguments {
                command,
                config,
                protos: Vec::new(),
                includes: Vec::new(),
            });
        }
        for (option, given, needed, fits) in [
            ("--out", self.out.is_some(), generates, generates),
            ("--opt", !self.opts.is_empty(), false, generates),
            (
                "--to",
                self.to.is_some(),
                name == "record",
                name == "record",
            ),
            (
                "--against",
                self.against.is_some(),
                name == "breaking",
                name != "record",
            ),
        ] {
            if given && !fits {
                return Err(format!("{name} has no use for {option}"));
            }
            if needed && !given {
                return Err(format!("{name} needs {option}"));
            }
        }
        config = match (self.protoc, self.descriptor_set) {
            (Some(_), Some(_)) => {
                return Err("--protoc and --descriptor-set exclude each other".to_owned());
            }
            (Some(path), None) => config.front_end(FrontEnd::Protoc(PathBuf::from(path))),
            (None, Some(path)) => config.front_end(FrontEnd::DescriptorSet(PathBuf::from(path))),
            (None, None) => config,
        };
        if let Some(out) = self.out {
            config = config.out_dir(out);
        }
        if let Some(recorded) = self.against {
            config = config.breaking_against(recorded);
        }
        for (name, value) in self.opts {
            config = config.option(name, value);
        }
        let mut includes = self.includes;
        if includes.is_empty() {
            includes.push(PathBuf::from("."));
        }
        Ok(Arguments {
            command,
            config,
            protos: self.protos,
            includes,
        })
    }
}

#[cfg(test)]
mod tests;
