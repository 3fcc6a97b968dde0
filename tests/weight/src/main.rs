//! Generates 100 services of 20 methods each, ours and tonic's, and measures how
//! many lines that is and how much CPU time `cargo check` takes for it. Each side
//! is a crate of its own whose dependencies are built before; the sides take turns,
//! and the medians are compared. Linux only: CPU time is read from `/proc`.
//!
//! ```text
//! cargo run --release --manifest-path tests/weight/Cargo.toml
//! ```
//!
//! On a virtual machine with 2 cores that others used too:
//!
//! | measured | ours | tonic | ours / tonic |
//! |---|---|---|---|
//! | lines a method | 19.2 | 82.7 | **0.23** |
//! | `cargo check`, CPU s | 3.19 | 29.36 | **0.11** |
//!
//! Lines of comments are counted here, three a method; without them ours takes 15
//! for a unary method, 22, 16 and 17 for those that stream (the server, the client,
//! both), which `protoc-gen-rust-grpc/tests/lines.rs` holds.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const SERVICES: usize = 100;
const METHODS: usize = 20;
const ROUNDS: usize = 3;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("target"),
        PathBuf::from,
    );
    let root = target.join("weight");
    fs::create_dir_all(&root)?;
    fs::write(root.join("many.proto"), proto())?;

    let ours = side(
        &root,
        "ours",
        &format!(
            "grpc-runtime = {{ path = \"{}\" }}\n",
            repository.join("runtime").display()
        ),
    )?;
    grpc_build::Config::new()
        .out_dir(ours.join("src"))
        .generate(&[root.join("many.proto")], &[&root])?;

    let tonic = side(
        &root,
        "tonic",
        "prost = \"0.14\"\ntonic = \"0.14\"\ntonic-prost = \"0.14\"\n",
    )?;
    let descriptors = protox::compile(["many.proto"], [&root])?;
    tonic_prost_build::configure()
        .out_dir(tonic.join("src"))
        .compile_fds(descriptors)?;

    // The messages are the same work on both sides.
    let messages = side(&root, "messages", "prost = \"0.14\"\n")?;
    tonic_prost_build::configure()
        .build_client(false)
        .build_server(false)
        .out_dir(messages.join("src"))
        .compile_fds(protox::compile(["many.proto"], [&root])?)?;

    let sides = [&ours, &tonic, &messages];
    let lines = sides.map(|side| {
        let text = fs::read_to_string(side.join("src/many.rs")).unwrap_or_default();
        text.lines().filter(|line| !line.trim().is_empty()).count()
    });
    let methods = SERVICES * METHODS;
    println!("{SERVICES} services of {METHODS} methods each");
    println!("| measured | ours | tonic | ours / tonic |\n|---|---|---|---|");
    let of_services = |side: usize| (lines[side] - lines[2]) as f64 / methods as f64;
    row("lines a method", of_services(0), of_services(1));
    let [ours, tonic, messages] = measure(&sides, &target)?;
    row("`cargo check`, CPU s", ours, tonic);
    println!("The messages alone take {messages:.2} s.");
    Ok(())
}

fn row(what: &str, ours: f64, tonic: f64) {
    println!(
        "| {what} | {ours:.2} | {tonic:.2} | **{:.2}** |",
        ours / tonic
    );
}

/// All four kinds of calls in turn, over ten messages.
fn proto() -> String {
    let mut text = String::from("syntax = \"proto3\";\npackage many;\n");
    for number in 0..10 {
        let _ = writeln!(
            text,
            "message M{number} {{ string name = 1; int64 number = 2; repeated M{number} more = 3; }}"
        );
    }
    for service in 0..SERVICES {
        let _ = writeln!(text, "// Service {service}.\nservice Service{service} {{");
        for method in 0..METHODS {
            let stream = |yes: bool| if yes { "stream " } else { "" };
            let _ = writeln!(
                text,
                "  // Method {method}.\n  rpc Method{method}({}M{}) returns ({}M{});",
                stream(method % 4 >= 2),
                method % 10,
                stream(method % 2 == 1),
                (method + 1) % 10,
            );
        }
        text.push_str("}\n");
    }
    text
}

/// A crate of its own, without generated code yet.
fn side(root: &Path, name: &str, dependencies: &str) -> Result<PathBuf> {
    let folder = root.join(name);
    fs::create_dir_all(folder.join("src"))?;
    fs::write(
        folder.join("Cargo.toml"),
        format!(
            "[package]\nname = \"weight-{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
             [dependencies]\n{dependencies}\n[workspace]\n"
        ),
    )?;
    fs::write(folder.join("src/lib.rs"), "include!(\"many.rs\");\n")?;
    Ok(folder)
}

/// The median CPU time of each side, in seconds.
fn measure(sides: &[&PathBuf; 3], target: &Path) -> Result<[f64; 3]> {
    let mut times = [const { Vec::new() }; 3];
    for round in 0..=ROUNDS {
        for (side, times) in sides.iter().zip(&mut times) {
            fs::write(
                side.join("src/lib.rs"),
                format!("// {round}\ninclude!(\"many.rs\");\n"),
            )?;
            let time = check(side, target)?;
            // The first one builds what the crate depends on.
            if round > 0 {
                times.push(time);
            }
        }
    }
    Ok(times.map(|mut times| {
        times.sort();
        // The kernel counts in hundredths of a second.
        times[times.len() / 2] as f64 / 100.0
    }))
}

/// The CPU time that cargo and rustc took, in hundredths of a second.
fn check(side: &Path, target: &Path) -> Result<u64> {
    let before = children()?;
    let output = Command::new(env!("CARGO"))
        .args(["check", "--quiet", "--lib"])
        .current_dir(side)
        .env("CARGO_TARGET_DIR", target.join("weight-crates"))
        .env("CARGO_INCREMENTAL", "0")
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(children()? - before)
}

/// `cutime` and `cstime` of proc(5), which follow the program's name.
fn children() -> Result<u64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(')').ok_or("no program's name")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    Ok(fields[13].parse::<u64>()? + fields[14].parse::<u64>()?)
}
