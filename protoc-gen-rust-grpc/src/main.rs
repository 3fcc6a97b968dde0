//! The protoc plugin: a `CodeGeneratorRequest` on standard input, a
//! `CodeGeneratorResponse` on standard output. It must never print anything
//! else to standard output, and what is wrong with the user's files is told in
//! the response, not in the exit code: protoc prints it.

use std::io::{self, IsTerminal, Read, Write};
use std::process::ExitCode;

use protoc_gen_rust_grpc::{VERSION, plugin};

fn main() -> ExitCode {
    if std::env::args().any(|argument| argument == "--version") {
        println!("protoc-gen-rust-grpc {VERSION}");
        return ExitCode::SUCCESS;
    }
    if io::stdin().is_terminal() {
        eprintln!("protoc-gen-rust-grpc is a plugin of protoc, which runs it:");
        eprintln!("  protoc --rust-grpc_out=src/generated -I proto proto/hello.proto");
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
