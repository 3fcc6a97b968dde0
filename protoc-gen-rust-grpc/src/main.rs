//! The protoc plugin: a `CodeGeneratorRequest` on standard input, a `CodeGeneratorResponse`
//! and nothing else on standard output. Mistakes in the user's files are reported in the
//! response, which protoc prints, not by the exit code.

use std::io::{self, IsTerminal, Read, Write};
use std::process::ExitCode;

use protoc_gen_rust_grpc::{OPTIONS, VERSION, plugin};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect();
    let has = |names: [&str; 2]| arguments.iter().any(|it| names.contains(&it.as_str()));
    if has(["--version", "-V"]) {
        return tell(&format!("protoc-gen-rust-grpc {VERSION}\n"));
    }
    if has(["--help", "-h"]) {
        return tell(&help());
    }
    if let Some(argument) = arguments.first() {
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

/// Prints `text` for `--help` and the like. A closed standard output is not an error.
fn tell(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
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
