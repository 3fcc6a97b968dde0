//! What a hello program costs to build: crates in its tree, and a cold build of
//! a server and a client in one program, ours and tonic's in turn. The projects
//! are written here, and each is what a user would write.
//!
//! Ours is built with its defaults, and as tonic is by default: by an installed
//! protoc, and without compression. Nothing is compiled incrementally: cargo would
//! do so with our crates, which come from a folder, and not with a registry's.

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

/// What the projects are built with, in words.
pub fn remark() -> String {
    if has_protoc() {
        "hello of tonic is built with the protoc of this machine, tonic's default".to_owned()
    } else {
        "hello of tonic is built with protox, as this machine has no protoc, and ours with protoc \
         is left out"
            .to_owned()
    }
}

/// How one of our projects stands beside tonic's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Setup {
    Defaults,
    /// As tonic's defaults are.
    Alike,
}

impl Setup {
    /// What can be measured on this machine.
    fn all(has_protoc: bool) -> &'static [Self] {
        if has_protoc {
            &[Self::Defaults, Self::Alike]
        } else {
            &[Self::Defaults]
        }
    }

    fn work(self) -> &'static str {
        match self {
            Self::Defaults => "build",
            Self::Alike => "build, alike",
        }
    }

    /// What its project is called while it is built.
    fn folder(self) -> &'static str {
        match self {
            Self::Defaults => "ours",
            Self::Alike => "ours-alike",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Defaults => "hello, server and client",
            Self::Alike => "hello, with protoc, no compression",
        }
    }

    /// What a dependency on one of our crates says of features.
    fn features(self) -> &'static str {
        match self {
            Self::Defaults => "",
            Self::Alike => ", default-features = false",
        }
    }
}

fn ours(setup: Setup) -> Files {
    let features = setup.features();
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
grpc-runtime = {{ path = "{ROOT}/runtime"{features} }}
tokio = {{ version = "1", features = ["macros", "rt-multi-thread"] }}

[build-dependencies]
grpc-build = {{ path = "{ROOT}/grpc-build"{features} }}

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

fn tonic(has_protoc: bool) -> Files {
    let (dependency, build) = if has_protoc {
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
            .env("CARGO_INCREMENTAL", "0")
            .stdin(Stdio::null())
            .output()?;
        if output.status.success() {
            return Ok(String::from_utf8(output.stdout)?);
        }
        let text = String::from_utf8_lossy(&output.stderr);
        Err(format!("cargo {} failed:\n{text}", arguments.join(" ")).into())
    }
}

/// What one project came to, round by round.
struct Costs {
    project: Project,
    crates: Figures,
    wall: Figures,
    cpu: Figures,
}

impl Costs {
    fn new(implementation: Implementation, project: Project) -> Self {
        let figures = || Figures::new(implementation.to_string());
        Self {
            project,
            crates: figures(),
            wall: figures(),
            cpu: figures(),
        }
    }

    fn add_round(&mut self) -> Result<(), Error> {
        self.crates.add(Ok(self.project.crates()? as f64));
        let (wall, cpu) = self.project.build()?;
        self.wall.add(Ok(wall.as_secs_f64()));
        self.cpu.add(Ok(cpu.as_secs_f64()));
        Ok(())
    }
}

/// Builds all projects in turn, so many times.
pub fn measure(rounds: usize) -> Result<Vec<Row>, Error> {
    let (folder, has_protoc) = (tempfile::tempdir()?, has_protoc());
    let setups = Setup::all(has_protoc);
    let mut all = Vec::new();
    for setup in setups {
        let project = Project::write(folder.path().join(setup.folder()), ours(*setup))?;
        all.push(Costs::new(Implementation::Ours, project));
    }
    let project = Project::write(folder.path().join("tonic"), tonic(has_protoc))?;
    all.push(Costs::new(Implementation::Tonic, project));
    for round in 1..=rounds {
        for costs in &mut all {
            let project = costs.project.folder.file_name().unwrap_or_default();
            eprintln!("build {round}/{rounds}: {}", project.display());
            costs.add_round()?;
        }
    }
    let Some((tonic, ours)) = all.split_last() else {
        return Ok(Vec::new());
    };
    let pairs = setups.iter().zip(ours);
    Ok(pairs
        .flat_map(|(setup, ours)| rows(*setup, ours, tonic))
        .collect())
}

/// Both have to be half of tonic's; CPU time says why they are not.
fn rows(setup: Setup, ours: &Costs, tonic: &Costs) -> [Row; 3] {
    let row = |measure: &str, unit: &str, goal, figures: fn(&Costs) -> &Figures| {
        let mut row = Row {
            group: GROUP.to_owned(),
            work: setup.work().to_owned(),
            title: setup.title().to_owned(),
            setup: "dev profile".to_owned(),
            measure: measure.to_owned(),
            unit: unit.to_owned(),
            goal,
            figures: [ours, tonic].map(figures).map(Clone::clone).to_vec(),
        };
        row.conclude();
        row
    };
    [
        row("crates in the tree", "", Some(0.5), |costs| &costs.crates),
        row("cold build, wall time", "s", Some(0.5), |costs| &costs.wall),
        row("cold build, CPU time", "s", None, |costs| &costs.cpu),
    ]
}

#[cfg(test)]
mod tests {
    use super::{Costs, Implementation, Project, Setup, ours, rows, tonic};

    fn costs(implementation: Implementation, crates: f64) -> Costs {
        let folder = std::path::PathBuf::new();
        let mut costs = Costs::new(implementation, Project { folder });
        costs.crates.add(Ok(crates));
        costs
    }

    #[test]
    fn without_a_protoc_nothing_is_built_with_one() {
        assert_eq!(Setup::all(true), [Setup::Defaults, Setup::Alike]);
        assert_eq!(Setup::all(false), [Setup::Defaults]);
        assert!(tonic(false).iter().any(|(_, text)| text.contains("protox")));
        assert!(!tonic(true).iter().any(|(_, text)| text.contains("protox")));
    }

    /// What is alike differs in its manifest alone.
    #[test]
    fn our_projects_are_one_but_for_features() {
        for (defaults, alike) in ours(Setup::Defaults).iter().zip(&ours(Setup::Alike)) {
            assert_eq!(defaults.0, alike.0);
            let without = alike.1.replace(", default-features = false", "");
            assert_eq!(defaults.1, without);
            let turned_off = alike.1.matches("default-features = false").count();
            assert_eq!(turned_off, if alike.0 == "Cargo.toml" { 2 } else { 0 });
        }
    }

    #[test]
    fn each_of_ours_stands_beside_tonic() {
        let tonic = costs(Implementation::Tonic, 80.0);
        for (setup, crates) in [(Setup::Defaults, 60.0), (Setup::Alike, 40.0)] {
            let ours = costs(Implementation::Ours, crates);
            let [row, ..] = rows(setup, &ours, &tonic);
            assert_eq!(
                (row.work.as_str(), row.title.as_str()),
                (setup.work(), setup.title())
            );
            assert_eq!(row.ratio(), Some(crates / 80.0));
            assert_eq!(row.is_met(), Some(setup == Setup::Alike));
        }
    }
}
