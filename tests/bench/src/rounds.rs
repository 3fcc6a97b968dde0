//! Runs the works, round by round and the implementations in turn, so that a
//! machine that slows down slows everyone.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};

use crate::Error;
use crate::h2load::H2load;
use crate::load::Load;
use crate::measure::Round;
use crate::peer::Peers;
use crate::report::{Figures, Row};
use crate::works::{Aspect, Work};

/// A quick run does a part of a full run's count.
const QUICK: usize = 5;

pub fn run(
    works: &[&Work],
    peers: &Peers,
    h2load: Option<&H2load>,
    rounds: usize,
    quick: bool,
) -> Result<Vec<Row>, Error> {
    let rows_of = |work: &&Work| rows_of(work, quick, peers);
    let mut rows: Vec<Vec<Row>> = works.iter().map(rows_of).collect();
    let progress = Progress::new(rounds * works.len())?;
    for round in 1..=rounds {
        for (work, rows) in works.iter().zip(&mut rows) {
            progress.say(format!("round {round}/{rounds}: {}", work.name));
            let count = work.load.count / if quick { QUICK } else { 1 };
            let load = Load { count, ..work.load };
            for _ in 0..work.turns(quick) {
                let figures = Round::new(work, load, quick, peers, h2load);
                add(&figures, &work.aspects(quick), peers, rows);
            }
            progress.step();
        }
    }
    let mut rows: Vec<Row> = rows.into_iter().flatten().collect();
    rows.iter_mut().for_each(Row::conclude);
    Ok(rows)
}

fn add(round: &Round<'_>, aspects: &[&Aspect], peers: &Peers, rows: &mut [Row]) {
    for (aspect, row) in aspects.iter().zip(rows) {
        for (each, column) in peers.present.iter().zip(&mut row.figures) {
            if let Some(figure) = round.figure(aspect.measure, *each) {
                column.add(figure);
            }
        }
    }
}

fn rows_of(work: &Work, quick: bool, peers: &Peers) -> Vec<Row> {
    let row = |aspect: &Aspect| Row {
        group: work.group.name().to_owned(),
        work: work.name.to_owned(),
        title: work.title.to_owned(),
        setup: work.setup.to_string(),
        measure: aspect.measure.name().to_owned(),
        unit: aspect.measure.unit(work.load.task),
        goal: aspect.goal,
        figures: peers
            .present
            .iter()
            .map(|each| Figures::new(each.to_string()))
            .collect(),
    };
    work.aspects(quick).into_iter().map(row).collect()
}

/// A bar where somebody watches, and lines where the output goes to a file.
struct Progress {
    bar: Option<ProgressBar>,
}

impl Progress {
    fn new(steps: usize) -> Result<Self, Error> {
        if !std::io::stderr().is_terminal() {
            return Ok(Self { bar: None });
        }
        let bar = ProgressBar::new(steps as u64);
        bar.set_style(ProgressStyle::with_template(
            "{bar:30} {pos}/{len} {elapsed} {msg}",
        )?);
        Ok(Self { bar: Some(bar) })
    }

    fn say(&self, message: String) {
        match &self.bar {
            Some(bar) => bar.set_message(message),
            None => eprintln!("{message}"),
        }
    }

    fn step(&self) {
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
