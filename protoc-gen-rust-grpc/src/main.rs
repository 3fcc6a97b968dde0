//! The protoc plugin: a `CodeGeneratorRequest` on standard input, a
//! `CodeGeneratorResponse` on standard output. It must never print anything
//! else to standard output, and what is wrong with the user's files is told in
//! the response, not in the exit code: protoc prints it.

use std::io::{self, IsTerminal, Read, Write};
use std::process::ExitCode;

use protoc_gen_rust_grpc::{OPTIONS, VERSION, plugin};

fn main() -> ExitCode {
    if std::env::args().any(|argument| matches!(argument.as_str(), "--version" | "-V")) {
        println!("protoc-gen-rust-grpc {VERSION}");
        return ExitCode::SUCCESS;
    }
    if let Some(argument) = std::env::args().nth(1) {
        if matches!(argument.as_str(), "--help" | "-h") {
            print!("{}", help());
            return ExitCode::SUCCESS;
        }
        eprintln!(
            "protoc-gen-rust-grpc: it takes no argument `{argument}`\n\n{}",
            help()
        );
        return ExitCode::from(2);
    }
    if io::stdin().is_terminal() {
        eprint!("{}", help());
        return ExitCode::FAILURE;
    }
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("protoc-gen-rust-grpc: cannot speak with protoc: {error}");
            ExitCode::FAILURE
        }
    }
}

/// How to run it, and every option.
fn help() -> String {
    use std::fmt::Write as _;

    let mut text = "\
protoc-gen-rust-grpc is a plugin of protoc, which runs it:

  protoc --rust-grpc_out=src/generated -I proto proto/hello.proto

Options are given as --rust-grpc_opt=NAME=VALUE, which may be repeated:

"
    .to_owned();
    for spec in OPTIONS {
        let _ = writeln!(text, "  {}={}\n      {}", spec.name, spec.value, spec.help);
    }
    text
}

fn serve() -> io::Result<()> {
    let mut request = Vec::new();
    io::stdin().lock().read_to_end(&mut request)?;
    let reply = plugin::respond(&request);
    for warning in &reply.warnings {
        eprintln!("{warning}");
    }
    let mut output = io::stdout().lock();
    output.write_all(&reply.response)?;
    output.flush()
}
