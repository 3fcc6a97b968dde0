//! What a user gains, in three figures and a plot of them: a run's answer for those
//! who read no tables.

use plotters::coord::Shift;
use plotters::prelude::{Color, RGBColor};
use plotters::prelude::{
    DrawingArea, DrawingBackend, IntoDrawingArea, Rectangle, SVGBackend, Text, WHITE,
};
use plotters::style::text_anchor::HPos;

use crate::Error;
use crate::plot::{style, themed};
use crate::report::{Report, Row};
use crate::table::number;

/// Who is shown, in this order: libraries of gRPC that servers are written with. What
/// is no library is in the tables, and so is grpcio, whose bars would hide all others.
const SHOWN: [&str; 6] = [
    "ours",
    "tonic",
    "connect-rust",
    "volo-grpc",
    "grpc++",
    "grpc-go",
];

/// A row of the tables, and what it is to a user.
struct Figure {
    work: &'static str,
    measure: &'static str,
    unit: &'static str,
    what: &'static str,
}

const FIGURES: [Figure; 3] = [
    Figure {
        work: "unary-10x100",
        measure: "server CPU",
        unit: "µs",
        what: "CPU time of a server for a small call, 100 in flight on each of 10 connections",
    },
    Figure {
        work: "unary-1x100",
        measure: "latency, p99",
        unit: "µs",
        what: "Time within which 99 of 100 calls are answered, 100 in flight on a connection",
    },
    Figure {
        work: "connections",
        measure: "server memory",
        unit: "KiB",
        what: "Memory of a server for each idle connection",
    },
];

const NAMES: i32 = 120;
const BARS: i32 = 560;
const VALUES: i32 = 150;
const MARGIN: i32 = 16;
const TITLE: i32 = 34;
const LINE: i32 = 20;

const OURS: RGBColor = RGBColor(58, 110, 165);
const THEIRS: RGBColor = RGBColor(140, 140, 140);

impl Figure {
    fn row<'a>(&self, report: &'a Report) -> Option<&'a Row> {
        let is_it = |row: &&Row| row.work == self.work && row.measure == self.measure;
        report.rows.iter().find(is_it)
    }
}

/// Who is shown of a row, with the median and ours as a part of it.
fn shown(row: &Row) -> impl Iterator<Item = (&'static str, f64, f64)> + '_ {
    SHOWN.into_iter().filter_map(|name| {
        let median = row.figures_of(name)?.median?;
        Some((name, median, row.against(name)?))
    })
}

/// The plot, as the page shows it.
const PLOT: &str =
    "![Server CPU time, latency and memory, beside other implementations](tests/bench/gain.svg)";

/// A sentence for each figure, and the plot.
pub fn text(report: &Report) -> String {
    let mut lines = Vec::new();
    for figure in &FIGURES {
        let Some(row) = figure.row(report) else {
            continue;
        };
        let Some((_, ours, _)) = shown(row).find(|(name, ..)| *name == "ours") else {
            continue;
        };
        let others: Vec<String> = shown(row)
            .filter(|(name, ..)| *name != "ours")
            .map(|(name, _, part)| format!("{name} takes {} times as much", number(1.0 / part)))
            .collect();
        lines.push(format!(
            "- **{}: {} {}.** {}.",
            figure.what,
            number(ours),
            figure.unit,
            joined(&others)
        ));
    }
    format!("{}\n\n{PLOT}", lines.join("\n"))
}

/// "a takes 2 times as much, b 3, and c 4": what repeats is said once.
fn joined(others: &[String]) -> String {
    let short = |(at, text): (usize, &String)| match at {
        0 => text.clone(),
        _ => text.replace("takes ", "").replace(" times as much", ""),
    };
    let parts: Vec<String> = others.iter().enumerate().map(short).collect();
    parts.join(", ")
}

/// The figures as bars, each panel with a scale of its own from 0.
pub fn svg(report: &Report) -> Result<String, Error> {
    let panels: Vec<(&Figure, &Row)> = FIGURES
        .iter()
        .filter_map(|figure| Some((figure, figure.row(report)?)))
        .collect();
    let height = |row: &Row| TITLE + LINE * shown(row).count() as i32;
    let heights: i32 = panels.iter().map(|(_, row)| height(row)).sum();
    let size = (
        (NAMES + BARS + VALUES + MARGIN) as u32,
        (heights + 2 * MARGIN) as u32,
    );
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        area.fill(&WHITE)?;
        let mut top = MARGIN / 2;
        for (figure, row) in panels {
            panel(&area, figure, row, top)?;
            top += height(row);
        }
        area.present()?;
    }
    Ok(themed(&text))
}

fn panel<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    figure: &Figure,
    row: &Row,
    top: i32,
) -> Result<(), Error>
where
    B::ErrorType: 'static,
{
    let title = format!("{}, in {}", figure.what, figure.unit);
    area.draw(&Text::new(
        title,
        (MARGIN, top + TITLE / 2),
        style(16, HPos::Left),
    ))?;
    let most = shown(row).map(|(_, median, _)| median).fold(0.0, f64::max);
    for (number_of, (name, median, part)) in shown(row).enumerate() {
        let y = top + TITLE + LINE * number_of as i32;
        let middle = y + LINE / 2;
        let is_ours = name == "ours";
        area.draw(&Text::new(
            name,
            (NAMES - 8, middle),
            style(14, HPos::Right),
        ))?;
        let end = NAMES + (median / most * f64::from(BARS)).round().max(1.0) as i32;
        let colour = if is_ours { OURS } else { THEIRS };
        let bar = [(NAMES, y + 3), (end, y + LINE - 3)];
        area.draw(&Rectangle::new(bar, colour.filled()))?;
        let times = if is_ours {
            String::new()
        } else {
            format!(", {} times ours", number(1.0 / part))
        };
        let label = format!("{}{times}", number(median));
        area.draw(&Text::new(label, (end + 6, middle), style(13, HPos::Left)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{FIGURES, joined};
    use crate::works::WORKS;

    #[test]
    fn every_figure_is_measured() {
        for figure in &FIGURES {
            let work = WORKS.iter().find(|work| work.name == figure.work).unwrap();
            let mut names = work.aspects.iter().map(|aspect| aspect.measure.name());
            assert!(names.any(|name| name == figure.measure), "{}", figure.what);
        }
    }

    #[test]
    fn what_repeats_is_said_once() {
        let others = ["a takes 2.0 times as much", "b takes 3.0 times as much"];
        let others = others.map(str::to_owned);
        assert_eq!(joined(&others), "a takes 2.0 times as much, b 3.0");
    }
}
