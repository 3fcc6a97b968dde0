//! Measures what a unary call costs in CPU time, ours and others' in turn.
//!
//! The same program is the measured server (`serve`) and the measured client
//! (`call`), in processes of their own.

use std::io::Write;

use bench::Error;
use bench::implementation::{Client, Flavor, Implementation, serve};
use bench::load::{self, Load};
use bench::options::{HELP, Options};
use bench::process::{self, CLIENT_CORE, SERVER_CORE, ServerProcess};
use bench::report::{Report, Sample, Side, per_call};

fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1).peekable();
    match arguments.peek().map(String::as_str) {
        Some("serve") => run_server(&mut arguments.skip(1)),
        Some("call") => run_client(&mut arguments.skip(1)),
        _ => compare(&Options::parse(arguments)?),
    }
}

/// `serve IMPLEMENTATION RUNTIME`: prints the address, serves until its standard
/// input ends.
fn run_server(arguments: &mut impl Iterator<Item = String>) -> Result<(), Error> {
    let (implementation, flavor) = (
        next::<Implementation>(arguments)?,
        next::<Flavor>(arguments)?,
    );
    process::end_with_parent();
    process::pin(SERVER_CORE);
    flavor.runtime()?.block_on(serve(implementation, |address| {
        println!("{address}");
        let _ = std::io::stdout().flush();
    }))
}

/// `call IMPLEMENTATION RUNTIME ADDRESS CALLS`: prints CPU and wall time, in µs.
fn run_client(arguments: &mut impl Iterator<Item = String>) -> Result<(), Error> {
    let (implementation, flavor) = (
        next::<Implementation>(arguments)?,
        next::<Flavor>(arguments)?,
    );
    let (address, calls) = (next::<String>(arguments)?, next::<usize>(arguments)?);
    process::pin(CLIENT_CORE);
    let run = flavor.runtime()?.block_on(async {
        load::measure_client(Client::new(implementation, &address)?, calls).await
    })?;
    println!("{} {}", run.cpu.as_micros(), run.wall.as_micros());
    Ok(())
}

fn next<T: std::str::FromStr>(arguments: &mut impl Iterator<Item = String>) -> Result<T, Error>
where
    Error: From<T::Err>,
{
    Ok(arguments
        .next()
        .ok_or("a subcommand lacks an argument")?
        .parse()?)
}

fn compare(options: &Options) -> Result<(), Error> {
    if options.help {
        print!("{HELP}");
        return Ok(());
    }
    let directory = std::env::temp_dir().join(format!("grpc-bench-{}", std::process::id()));
    std::fs::create_dir_all(&directory)?;
    let load = Load::find(&directory)?;
    let measured = rounds(options, &load);
    std::fs::remove_dir_all(&directory)?;

    let report = Report {
        load: load.name(),
        calls: options.calls,
        rounds: options.rounds,
        samples: measured?,
    };
    println!("\n{}", report.table());
    if let Some(directory) = options.json.parent() {
        std::fs::create_dir_all(directory)?;
    }
    std::fs::write(&options.json, report.json())?;
    println!("JSON: {}", options.json.display());
    Ok(())
}

/// Round by round and in turn, so that a machine that slows down slows everyone.
fn rounds(options: &Options, load: &Load) -> Result<Vec<Sample>, Error> {
    let mut samples = Vec::new();
    for round in 1..=options.rounds {
        for flavor in Flavor::ALL {
            for implementation in Implementation::ALL {
                let server = ServerProcess::start(implementation, flavor)?;
                load.drive(&server.address, options.calls / 10)?;
                let before = server.cpu_time()?;
                let wall = load.drive(&server.address, options.calls)?;
                let sample = Sample {
                    side: Side::Server,
                    flavor,
                    implementation,
                    round,
                    cpu: per_call(server.cpu_time()? - before, options.calls),
                    wall: per_call(wall, options.calls),
                };
                samples.push(told(sample, options));
            }
            for implementation in Implementation::ALL {
                let server = ServerProcess::start(Implementation::Ours, Flavor::CurrentThread)?;
                let run = load::run_client(implementation, flavor, &server.address, options.calls)?;
                let sample = Sample {
                    side: Side::Client,
                    flavor,
                    implementation,
                    round,
                    cpu: per_call(run.cpu, options.calls),
                    wall: per_call(run.wall, options.calls),
                };
                samples.push(told(sample, options));
            }
        }
    }
    Ok(samples)
}

/// Progress, for whoever waits.
fn told(sample: Sample, options: &Options) -> Sample {
    eprintln!(
        "round {}/{}  {}  {:<14}  {:<5}  {:6.2} µs CPU  {:6.2} µs wall",
        sample.round,
        options.rounds,
        sample.side.name(),
        sample.flavor.to_string(),
        sample.implementation.to_string(),
        sample.cpu,
        sample.wall
    );
    sample
}
