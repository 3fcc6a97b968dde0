//! What a hello program costs to build: crates in its tree, and a cold build of
//! a server and a client in one program, ours and tonic's in turn. Both projects
//! are written here, and each is what a user would write.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::Error;
use crate::peer::Implementation;
use crate::process::children_cpu_time;
use crate::report::{Figures, Row};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
/// The group of these rows.
pub const GROUP: &str = "build";

/// A project's files, by path.
type Files = [(&'static str, String); 4];

/// Whether there is a protoc, which tonic's build script calls by default.
fn has_protoc() -> bool {
    let mut protoc = Command::new("protoc");
    protoc.arg("--version").stdout(Stdio::null());
    protoc.status().is_ok_and(|status| status.success())
}

/// What the tonic project is built with, in words.
pub fn remark() -> String {
    let front_end = if has_protoc() {
        "the protoc of this machine, tonic's default"
    } else {
        "protox, as this machine has no protoc"
    };
    format!("hello of tonic is built with {front_end}")
}

fn ours() -> Files {
    [
        (
            "Cargo.toml",
            format!(
                r#"
[package]
name = "hello"
version = "0.0.0"
edition = "2024"

[dependencies]
grpc-runtime = {{ path = "{ROOT}/runtime" }}
tokio = {{ version = "1", features = ["macros", "rt-multi-thread"] }}

[build-dependencies]
grpc-build = {{ path = "{ROOT}/grpc-build" }}

[workspace]
"#
            ),
        ),
        (
            "build.rs",
            r#"
fn main() -> Result<(), grpc_build::Error> {
    grpc_build::compile(&["hello.proto"], &["."])
}
"#
            .to_owned(),
        ),
        ("hello.proto", PROTO.to_owned()),
        (
            "src/main.rs",
            r#"
use grpc_runtime::{Channel, Context, Server, Status};

grpc_runtime::include_proto!("hello");

struct Servicer;

impl GreeterServicer for Servicer {
    async fn greet(&self, request: Request, _: &mut Context) -> Result<Reply, Status> {
        Ok(Reply { text: format!("Hello, {}!", request.name) })
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::builder()
        .add_service(GreeterServer::new(Servicer))
        .listen("127.0.0.1:50051")
        .start()
        .await?;
    let stub = GreeterStub::new(Channel::insecure(&server.addresses()[0])?);
    let reply = stub.greet(Request { name: "World".to_owned() }).await?;
    println!("{}", reply.text);
    Ok(())
}
"#
            .to_owned(),
        ),
    ]
}

fn tonic() -> Files {
    let (dependency, build) = if has_protoc() {
        ("", r#"tonic_prost_build::compile_protos("hello.proto")?;"#)
    } else {
        (
            "protox = \"0.10\"",
            r#"tonic_prost_build::compile_fds(protox::compile(["hello.proto"], ["."])?)?;"#,
        )
    };
    [
        (
            "Cargo.toml",
            format!(
                r#"
[package]
name = "hello"
version = "0.0.0"
edition = "2024"

[dependencies]
prost = "0.14"
tonic = "0.14"
tonic-prost = "0.14"
tokio = {{ version = "1", features = ["macros", "rt-multi-thread"] }}

[build-dependencies]
tonic-prost-build = "0.14"
{dependency}

[workspace]
"#
            ),
        ),
        (
            "build.rs",
            format!(
                "fn main() -> Result<(), Box<dyn std::error::Error>> {{\n{build}\nOk(())\n}}\n"
            ),
        ),
        ("hello.proto", PROTO.to_owned()),
        (
            "src/main.rs",
            r#"
use tonic::{Response, Status, transport::Server};

tonic::include_proto!("hello");

use greeter_client::GreeterClient;
use greeter_server::{Greeter, GreeterServer};

struct Servicer;

#[tonic::async_trait]
impl Greeter for Servicer {
    async fn greet(&self, request: tonic::Request<Request>) -> Result<Response<Reply>, Status> {
        let text = format!("Hello, {}!", request.into_inner().name);
        Ok(Response::new(Reply { text }))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = "127.0.0.1:50051".parse()?;
    tokio::spawn(Server::builder().add_service(GreeterServer::new(Servicer)).serve(address));
    let mut client = GreeterClient::connect("http://127.0.0.1:50051").await?;
    let reply = client.greet(Request { name: "World".to_owned() }).await?;
    println!("{}", reply.into_inner().text);
    Ok(())
}
"#
            .to_owned(),
        ),
    ]
}

const PROTO: &str = r#"
syntax = "proto3";

package hello;

service Greeter {
  rpc Greet (Request) returns (Reply);
}

message Request { string name = 1; }
message Reply { string text = 1; }
"#;

/// A project in a folder of its own, with its sources fetched.
struct Project {
    folder: PathBuf,
}

impl Project {
    fn write(folder: PathBuf, files: Files) -> Result<Self, Error> {
        std::fs::create_dir_all(folder.join("src"))?;
        for (path, text) in files {
            std::fs::write(folder.join(path), text)?;
        }
        let project = Self { folder };
        project.cargo(&["fetch"])?;
        Ok(project)
    }

    /// The crates that its user gets, without the project itself.
    fn crates(&self) -> Result<usize, Error> {
        let tree = self.cargo(&[
            "tree",
            "--locked",
            "--offline",
            "--edges",
            "normal,build",
            "--prefix",
            "none",
            "--format",
            "{p}",
        ])?;
        let mut names: Vec<&str> = tree
            .lines()
            .map(|line| line.trim_end_matches(" (*)"))
            .collect();
        names.sort_unstable();
        names.dedup();
        Ok(names.len() - 1)
    }

    /// Wall and CPU time of a build from nothing.
    fn build(&self) -> Result<(Duration, Duration), Error> {
        let (cpu, start) = (children_cpu_time()?, Instant::now());
        self.cargo(&["build", "--locked", "--offline", "-j2"])?;
        let times = (start.elapsed(), children_cpu_time()?.saturating_sub(cpu));
        std::fs::remove_dir_all(self.folder.join("target"))?;
        Ok(times)
    }

    /// Runs cargo with a target folder in the project; gives what it printed.
    fn cargo(&self, arguments: &[&str]) -> Result<String, Error> {
        let output = Command::new("cargo")
            .args(arguments)
            .current_dir(&self.folder)
            .env("CARGO_TARGET_DIR", self.folder.join("target"))
            .env_remove("CARGO_INCREMENTAL")
            .stdin(Stdio::null())
            .output()?;
        if output.status.success() {
            return Ok(String::from_utf8(output.stdout)?);
        }
        let text = String::from_utf8_lossy(&output.stderr);
        Err(format!("cargo {} failed:\n{text}", arguments.join(" ")).into())
    }
}

/// Builds both projects in turn, so many times.
pub fn measure(rounds: usize) -> Result<Vec<Row>, Error> {
    let folder = tempfile::tempdir()?;
    let compared = [Implementation::Ours, Implementation::Tonic];
    let projects = [
        Project::write(folder.path().join("ours"), ours())?,
        Project::write(folder.path().join("tonic"), tonic())?,
    ];
    let figures = || compared.map(|each| Figures::new(each.to_string())).to_vec();
    let [mut crates, mut wall, mut cpu] = [figures(), figures(), figures()];
    for round in 1..=rounds {
        for (place, project) in projects.iter().enumerate() {
            eprintln!("build {round}/{rounds}: {}", compared[place]);
            crates[place].add(Ok(project.crates()? as f64));
            let times = project.build()?;
            wall[place].add(Ok(times.0.as_secs_f64()));
            cpu[place].add(Ok(times.1.as_secs_f64()));
        }
    }
    let row = |measure: &str, unit: &str, goal, figures| {
        let mut row = Row {
            group: GROUP.to_owned(),
            work: "build".to_owned(),
            title: "hello, server and client".to_owned(),
            setup: "dev profile".to_owned(),
            measure: measure.to_owned(),
            unit: unit.to_owned(),
            goal,
            figures,
        };
        row.conclude();
        row
    };
    Ok(vec![
        row("crates in the tree", "", Some(0.5), crates),
        row("cold build, wall time", "s", Some(0.5), wall),
        row("cold build, CPU time", "s", None, cpu),
    ])
}
