//! The programs that stand for each implementation, and the words they take. One that is optional
//! and missing is left out.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Implementation;
use crate::Error;
use crate::load::Load;
use crate::security::{Certificates, Security};
use crate::setup::Setup;

const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/grpcio_peer.py");
const CPP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/cpp_peer.cc");
const GO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/go_peer.go");
const PROTO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/proto/bench.proto");

/// The package of those that are written in Rust and take long to build.
const RIVALS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/rivals/Cargo.toml");

/// The implementations of a run, each with its program.
#[derive(Debug)]
pub struct Peers {
    pub present: Vec<Implementation>,
    own: PathBuf,
    rivals: PathBuf,
    cpp: PathBuf,
    go: PathBuf,
    certificates: Certificates,
}

impl Peers {
    /// Those of `wanted` that the machine has; says in a line which it has not,
    /// and why.
    pub fn find(wanted: &[Implementation]) -> Result<Self, Error> {
        let own = std::env::current_exe()?;
        let folder = own.parent().ok_or("this program is in no folder")?;
        let folder = folder.join("peers");
        let mut peers = Self {
            present: Vec::new(),
            rivals: folder.join("rivals/release/rivals"),
            cpp: folder.join("cpp_peer"),
            go: folder.join("go_peer"),
            own,
            certificates: Certificates::make()?,
        };
        let has_rivals = wanted.iter().any(|each| each.is_rival());
        let rivals = if has_rivals {
            build_rivals(&folder)
        } else {
            Ok(())
        };
        for implementation in wanted {
            let found = match implementation {
                Implementation::Grpcio => find_grpcio(),
                Implementation::Cpp => build_cpp(&folder, &peers.cpp),
                Implementation::Go => build_go(&folder, &peers.go),
                each if each.is_rival() => rivals.clone(),
                _ => Ok(()),
            };
            match found {
                Ok(()) => peers.present.push(*implementation),
                Err(reason) => eprintln!("without {implementation}: {reason}"),
            }
        }
        Ok(peers)
    }

    /// A server: it prints its address, and serves until its standard input ends.
    pub fn serve(
        &self,
        implementation: Implementation,
        setup: Setup,
        security: Security,
    ) -> Command {
        let mut command = self.program(implementation);
        command
            .args(["serve", &implementation.to_string(), &setup.to_string()])
            .arg(security.to_string());
        command
    }

    /// A client: it prints `ready` when it has warmed up, and the outcome when it
    /// was let go and has done the load; it keeps what it opened until its
    /// standard input ends.
    pub fn drive(
        &self,
        implementation: Implementation,
        setup: Setup,
        load: Load,
        address: &str,
    ) -> Command {
        let mut command = self.program(implementation);
        command
            .args(["drive", &implementation.to_string(), &setup.to_string()])
            .arg(address)
            .args(load.words());
        command
    }

    fn program(&self, implementation: Implementation) -> Command {
        let program = match implementation {
            Implementation::Cpp => &self.cpp,
            Implementation::Go => &self.go,
            each if each.is_rival() => &self.rivals,
            Implementation::Grpcio => Path::new("python3"),
            _ => &self.own,
        };
        let mut command = Command::new(program);
        if implementation == Implementation::Grpcio {
            command.arg(PYTHON);
        }
        self.certificates.tell(&mut command);
        command
    }
}

fn find_grpcio() -> Result<(), String> {
    quiet("python3", &["-c", "import grpc.aio"])
        .map_err(|()| "Python has no module grpc (pip install grpcio)".to_owned())
}

/// Compiles the C++ peer where that has not been done, next to this program.
fn build_cpp(folder: &Path, program: &Path) -> Result<(), String> {
    let parts = "libgrpc++-dev, protobuf-compiler, protobuf-compiler-grpc, pkg-config, g++";
    let tools = "for tool in g++ protoc grpc_cpp_plugin; do command -v $tool || exit 1; done
        pkg-config --exists grpc++ protobuf";
    quiet("sh", &["-c", tools]).map_err(|()| format!("it takes Debian's {parts}"))?;
    if is_newer(program, &[CPP, PROTO]) {
        return Ok(());
    }
    eprintln!("compiling the C++ peer");
    // Under a name of its own until it is whole.
    let script = r#"
        set -e
        mkdir -p "$1"; cd "$1"
        include=$(dirname "$3")
        protoc -I "$include" --cpp_out=. --grpc_out=. \
            --plugin=protoc-gen-grpc="$(command -v grpc_cpp_plugin)" "$3"
        g++ -std=c++17 -O2 -I. -o "$4.new" "$2" bench.pb.cc bench.grpc.pb.cc \
            $(pkg-config --cflags --libs grpc++ protobuf) -lpthread
        mv "$4.new" "$4"
    "#;
    let mut command = Command::new("sh");
    command
        .args(["-c", script, "sh"])
        .args([folder, Path::new(CPP), Path::new(PROTO), program]);
    compile(command)
}

/// Compiles the Go peer where that has not been done, next to this program.
fn build_go(folder: &Path, program: &Path) -> Result<(), String> {
    let parts = "golang-go golang-google-grpc-dev protobuf-compiler protoc-gen-go-1-5 \
                 protoc-gen-go-grpc";
    let tools = "for tool in go protoc protoc-gen-go protoc-gen-go-grpc; do
            command -v $tool || exit 1
        done
        test -e /usr/share/gocode/src/google.golang.org/grpc";
    quiet("sh", &["-c", tools]).map_err(|()| format!("it takes Debian's {parts}"))?;
    if is_newer(program, &[GO, PROTO]) {
        return Ok(());
    }
    eprintln!("compiling the Go peer");
    // Debian's packages are found below GOPATH, and know no modules.
    let script = r#"
        set -e
        mkdir -p "$1/go/src"
        package=Mbench.proto=measured/bench
        protoc -I "$(dirname "$3")" "$3" \
            --go_out="$package:$1/go/src" --go-grpc_out="$package:$1/go/src"
        export GO111MODULE=off GOPATH="$1/go:/usr/share/gocode" GOCACHE="$1/go/cache"
        go build -o "$4.new" "$2"
        mv "$4.new" "$4"
    "#;
    let mut command = Command::new("sh");
    command
        .args(["-c", script, "sh"])
        .args([folder, Path::new(GO), Path::new(PROTO), program]);
    compile(command)
}

/// Compiles the rivals next to this program, by the compiler and with the options
/// that it was compiled with.
fn build_rivals(folder: &Path) -> Result<(), String> {
    eprintln!("compiling the rivals");
    let mut command = Command::new("cargo");
    command
        .args(["build", "--release", "--locked", "--quiet"])
        .args(["--manifest-path", RIVALS, "--target-dir"])
        .arg(folder.join("rivals"));
    compile(command)
}

/// Runs a compiler, and says in a line why it failed.
fn compile(mut command: Command) -> Result<(), String> {
    let output = command.output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let line = text.lines().find(|line| line.contains("error"));
    let line = line.or(text.lines().next()).unwrap_or_default();
    Err(format!("it did not compile: {line}"))
}

/// Whether a program ends well, whatever it says.
fn quiet(program: &str, arguments: &[&str]) -> Result<(), ()> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let status = command.status();
    status
        .ok()
        .filter(|status| status.success())
        .map_or(Err(()), |_| Ok(()))
}

/// Whether `made` exists and is younger than all it was made from.
fn is_newer(made: &Path, sources: &[&str]) -> bool {
    let time = |path: &Path| {
        path.metadata()
            .and_then(|metadata| metadata.modified())
            .ok()
    };
    let made = time(made);
    made.is_some() && sources.iter().all(|source| time(Path::new(source)) < made)
}
