//! The program `grpc-build`: what build scripts do with the library, by hand or in CI.

mod arguments;

use std::process::ExitCode;

use arguments::{Arguments, Command};

fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(message) => {
            eprintln!("grpc-build: {message}\n\n{}", arguments::USAGE);
            return ExitCode::from(2);
        }
    };
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), grpc_build::Error> {
    let Arguments {
        config,
        protos,
        includes,
        ..
    } = arguments;
    match &arguments.command {
        Command::Help => println!("{}", arguments::USAGE),
        Command::Version => println!("grpc-build {}", env!("CARGO_PKG_VERSION")),
        Command::Generate => {
            for warning in config.generate(protos, includes)? {
                eprintln!("warning: {warning}");
            }
        }
        Command::Check => config.check(protos, includes)?,
        Command::Record(file) => config.record(protos, includes, file)?,
        Command::Breaking => config.check_breaking(protos, includes)?,
    }
    Ok(())
}
