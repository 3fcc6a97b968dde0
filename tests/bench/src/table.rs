//! Figures as tables, for terminals and for Markdown alike.

use comfy_table::{CellAlignment, Table, presets};

use crate::report::{Figures, Report, Row};

/// Where a table is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// What repeats the row above is left out.
    Terminal,
    Markdown,
}

/// The rows of a group as a table; nothing if there are none.
pub fn table(report: &Report, group: &str, style: Style) -> Option<String> {
    let rows: Vec<&Row> = report
        .rows
        .iter()
        .filter(|row| row.group == group)
        .collect();
    let first = rows.first()?;
    let others: Vec<&str> = first
        .figures
        .iter()
        .map(|figures| figures.implementation.as_str())
        .filter(|name| !["ours", "tonic"].contains(name))
        .collect();

    let mut table = Table::new();
    table.load_style(match style {
        Style::Terminal => presets::UTF8_FULL_CONDENSED,
        Style::Markdown => presets::ASCII_MARKDOWN,
    });
    let columns = "workload|setup|measure|unit|ours|tonic|ours/tonic|rounds|goal|goal met";
    let header: Vec<&str> = columns.split('|').chain(others.iter().copied()).collect();
    let mut lines = Vec::new();
    let mut above = "";
    for row in rows {
        let again = style == Style::Terminal && above == row.work;
        above = &row.work;
        let once = |text: &str| (if again { "" } else { text }).to_owned();
        let met = match row.is_met() {
            Some(true) => "yes",
            Some(false) => "no",
            None => "",
        };
        let mut cells = vec![
            once(&row.title),
            once(&row.setup),
            row.measure.clone(),
            row.unit.clone(),
            cell(row.figures_of("ours")),
            cell(row.figures_of("tonic")),
            row.ratio().map_or(String::new(), |ratio| match style {
                Style::Terminal => format!("{ratio:.2}"),
                Style::Markdown => format!("**{ratio:.2}**"),
            }),
            row.spread().map_or(String::new(), |(least, most)| {
                format!("{least:.2}–{most:.2}")
            }),
            row.goal
                .map_or(String::new(), |goal| format!("≤ {goal:.2}")),
            met.to_owned(),
        ];
        cells.extend(others.iter().map(|name| beside(row, name)));
        lines.push(cells);
    }
    // A column in which no row has anything is left out.
    let is_used = |column: &usize| lines.iter().any(|cells| !cells[*column].is_empty());
    let used: Vec<usize> = (0..header.len()).filter(is_used).collect();
    table.set_header(used.iter().map(|column| header[*column]));
    for cells in &lines {
        table.add_row(used.iter().map(|column| cells[*column].as_str()));
    }
    for column in table.column_iter_mut().skip(4) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    Some(table.to_string())
}

fn cell(figures: Option<&Figures>) -> String {
    match figures {
        Some(Figures {
            median: Some(median),
            ..
        }) => number(*median),
        Some(Figures {
            failure: Some(_), ..
        }) => "failed".to_owned(),
        _ => String::new(),
    }
}

/// A figure, and in parentheses ours as a part of it.
fn beside(row: &Row, name: &str) -> String {
    let figure = cell(row.figures_of(name));
    match row.against(name) {
        Some(part) => format!("{figure} ({part:.2})"),
        None => figure,
    }
}

/// Three digits that count.
pub fn number(value: f64) -> String {
    let digits = match value {
        100.0.. => 0,
        10.0.. => 1,
        1.0.. => 2,
        _ => 3,
    };
    format!("{value:.digits$}")
}
