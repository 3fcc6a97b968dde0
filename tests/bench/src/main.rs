//! Measures what calls cost, ours and others' in turn.
//!
//! The same program is the measured server (`serve`) and the measured client
//! (`drive`), in processes of their own.

use std::path::Path;

use bench::about::about;
use bench::h2load::H2load;
use bench::options::Options;
use bench::peer::{Implementation, Peers};
use bench::report::Report;
use bench::table::{self, Style};
use bench::works::{Group, WORKS};
use bench::{Error, build_cost, child, plot, process, publish, rounds};
use clap::Parser;

fn main() -> Result<(), Error> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.split_first() {
        Some((word, rest)) if word == "serve" => child::serve(rest),
        Some((word, rest)) if word == "drive" => child::drive(rest),
        _ => compare(&Options::parse()),
    }
}

fn compare(options: &Options) -> Result<(), Error> {
    if options.list {
        list();
        return Ok(());
    }
    let report = match &options.from {
        Some(path) => serde_json::from_str(&std::fs::read_to_string(path)?)?,
        None => {
            let report = measure(options)?;
            write(&options.json, &serde_json::to_string_pretty(&report)?)?;
            report
        }
    };
    show(&report);
    write(&options.svg, &plot::svg(&report)?)?;
    if options.publish {
        publish::publish(&report)?;
    }
    if report.has_failed(Implementation::Ours) {
        return Err("a measurement of ours failed".into());
    }
    Ok(())
}

fn measure(options: &Options) -> Result<Report, Error> {
    let works = options.works();
    let builds = options.builds();
    if works.is_empty() && builds.is_none() {
        return Err("no workload has such a name; see --list".into());
    }
    let peers = Peers::find(&options.peers())?;
    let h2load = H2load::find()?;
    if h2load.is_none() {
        eprintln!("without h2load (Debian: nghttp2-client): our own client drives servers");
    }
    process::raise_file_limit()?;
    let mut about = about(options, &peers, h2load.as_ref());
    let (rounds, quick) = (options.rounds(), options.quick);
    let mut rows = rounds::run(&works, &peers, h2load.as_ref(), rounds, quick)?;
    if let Some(builds) = builds {
        about.versions.push(build_cost::remark());
        rows.extend(build_cost::measure(builds)?);
    }
    Ok(Report { about, rows })
}

fn show(report: &Report) {
    let groups = Group::ALL.map(Group::name);
    for group in groups.into_iter().chain([build_cost::GROUP]) {
        if let Some(table) = table::table(report, group, Style::Terminal) {
            println!("\n{group}\n{table}");
        }
    }
    println!("\n{}", publish::about(&report.about));
    for failure in report.failures() {
        println!("failed: {failure}");
    }
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    std::fs::write(path, text)?;
    println!("written: {}", path.display());
    Ok(())
}

fn list() {
    for work in WORKS {
        println!("{:<20} {}, {}", work.name, work.title, work.setup);
    }
    println!("{:<20} hello, cold", build_cost::GROUP);
    let names = Implementation::ALL.map(|each| each.to_string());
    println!("\nimplementations: {}", names.join(", "));
}
