//! Measures what calls cost, ours and others' in turn.
//!
//! The same program is the measured server (`serve`) and the measured client
//! (`drive`), in processes of their own.

use bench::about::about;
use bench::h2load::H2load;
use bench::options::Options;
use bench::peer::{Implementation, Peers};
use bench::report::Report;
use bench::table::Style;
use bench::works::{Group, WORKS};
use bench::{Error, child, rounds, table};
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
    let works = options.works();
    if works.is_empty() {
        return Err("no work has such a name; see --list".into());
    }
    let peers = Peers::find(&options.peers())?;
    let h2load = H2load::find()?;
    let about = about(options.rounds(), options.quick, h2load.as_ref());
    let rows = rounds::run(
        &works,
        &peers,
        h2load.as_ref(),
        options.rounds(),
        options.quick,
    )?;
    let report = Report { about, rows };

    for group in Group::ALL {
        if let Some(table) = table::table(&report, group.name(), Style::Terminal) {
            println!("{}\n{table}\n", group.name());
        }
    }
    if let Some(directory) = options.json.parent() {
        std::fs::create_dir_all(directory)?;
    }
    std::fs::write(&options.json, serde_json::to_string_pretty(&report)?)?;
    println!("JSON: {}", options.json.display());
    let failures = report.failures();
    failures
        .iter()
        .for_each(|failure| println!("failed: {failure}"));
    if report.has_failed(Implementation::Ours) {
        return Err("a measurement of ours failed".into());
    }
    Ok(())
}

fn list() {
    for work in WORKS {
        println!("{:<20} {}, {}", work.name, work.title, work.setup);
    }
    let names = Implementation::ALL.map(|each| each.to_string());
    println!("\nimplementations: {}", names.join(", "));
}
