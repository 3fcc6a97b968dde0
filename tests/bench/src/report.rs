//! The figures of a run, each with its ratio to the others of the same rounds.

use serde::{Deserialize, Serialize};

use crate::peer::Implementation;

/// Whom ratios are against.
const BASE: &str = "tonic";

/// All that is known of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    pub about: About,
    pub rows: Vec<Row>,
}

/// Where and with what a run was made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct About {
    pub rounds: usize,
    pub quick: bool,
    /// Whether only some works were measured.
    #[serde(default)]
    pub partial: bool,
    /// When it began, in UTC.
    pub day: String,
    pub machine: String,
    /// How many threads wanted to run before it began, on average of a minute:
    /// figures of a machine that does something else are worth less.
    pub busy: Option<f64>,
    /// What was measured, and with what, in words.
    pub versions: Vec<String>,
    /// Who drives the servers of unary calls.
    pub unary_client: String,
}

/// One measure of one work.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    pub group: String,
    pub work: String,
    pub title: String,
    pub setup: String,
    pub measure: String,
    pub unit: String,
    /// What ours may be of tonic's.
    pub goal: Option<f64>,
    pub figures: Vec<Figures>,
}

/// What one implementation came to, by round.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Figures {
    pub implementation: String,
    pub rounds: Vec<Option<f64>>,
    pub median: Option<f64>,
    /// The median of the rounds' ratios to tonic.
    pub ratio: Option<f64>,
    /// Why a round has no figure.
    pub failure: Option<String>,
}

impl Report {
    /// What failed, each once.
    pub fn failures(&self) -> Vec<String> {
        let mut failures = Vec::new();
        for row in &self.rows {
            for figures in &row.figures {
                let failure = figures.failure.iter();
                failures.extend(failure.map(|failure| format!("{}: {failure}", row.work)));
            }
        }
        failures.dedup();
        failures
    }

    pub fn has_failed(&self, implementation: Implementation) -> bool {
        let name = implementation.to_string();
        let failed = |row: &Row| Some(row.figures_of(&name)?.failure.is_some());
        self.rows.iter().any(|row| failed(row) == Some(true))
    }
}

impl Row {
    /// Relates what the rounds gave.
    pub fn conclude(&mut self) {
        let base = self.figures_of(BASE).map(|base| base.rounds.clone());
        for figures in &mut self.figures {
            figures.median = median(figures.rounds.iter().flatten().copied());
            // Figures of one round stand at the same place and are compared with
            // each other alone: what the machine does changes more slowly.
            let base = base.as_deref().unwrap_or_default();
            figures.ratio = median(ratios(&figures.rounds, base));
        }
    }

    /// The smallest and the largest of the rounds' ratios of ours to tonic.
    pub fn spread(&self) -> Option<(f64, f64)> {
        let (ours, base) = (self.figures_of("ours")?, self.figures_of(BASE)?);
        let ratios = || ratios(&ours.rounds, &base.rounds);
        Some((ratios().reduce(f64::min)?, ratios().reduce(f64::max)?))
    }

    /// The median of the rounds' ratios of ours to another's.
    pub fn against(&self, implementation: &str) -> Option<f64> {
        let (ours, other) = (self.figures_of("ours")?, self.figures_of(implementation)?);
        median(ratios(&ours.rounds, &other.rounds))
    }

    pub fn figures_of(&self, implementation: &str) -> Option<&Figures> {
        let is_it = |figures: &&Figures| figures.implementation == implementation;
        self.figures.iter().find(is_it)
    }

    /// Ours against tonic.
    pub fn ratio(&self) -> Option<f64> {
        self.figures_of("ours")?.ratio
    }

    /// Whether the goal is met, where there is one and a figure for it. What
    /// rounds to the goal meets it.
    pub fn is_met(&self) -> Option<bool> {
        Some((self.ratio()? * 100.0).round() <= self.goal? * 100.0)
    }
}

impl Figures {
    pub fn new(implementation: String) -> Self {
        Self {
            implementation,
            rounds: Vec::new(),
            median: None,
            ratio: None,
            failure: None,
        }
    }

    pub fn add(&mut self, figure: Result<f64, String>) {
        match figure {
            Ok(figure) => self.rounds.push(Some(figure)),
            Err(failure) => {
                self.rounds.push(None);
                self.failure = Some(failure);
            }
        }
    }
}

fn ratios(own: &[Option<f64>], base: &[Option<f64>]) -> impl Iterator<Item = f64> {
    let pairs = own.iter().zip(base);
    pairs.filter_map(|(own, base)| Some((*own)? / (*base)?))
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        length if length % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}

#[cfg(test)]
mod tests {
    use super::{Figures, Row};

    fn row(ours: [f64; 3], tonic: [f64; 3], goal: f64) -> Row {
        let figures = [("ours", ours), ("tonic", tonic)].map(|(name, rounds)| {
            let mut figures = Figures::new(name.to_owned());
            rounds.into_iter().for_each(|round| figures.add(Ok(round)));
            figures
        });
        let mut row = Row {
            group: String::new(),
            work: String::new(),
            title: String::new(),
            setup: String::new(),
            measure: String::new(),
            unit: String::new(),
            goal: Some(goal),
            figures: figures.to_vec(),
        };
        row.conclude();
        row
    }

    /// A machine that is slower in one round changes no ratio.
    #[test]
    fn rounds_are_compared_with_themselves() {
        let row = row([1.0, 10.0, 3.0], [2.0, 20.0, 4.0], 0.5);
        assert_eq!(row.ratio(), Some(0.5));
        assert_eq!(row.spread(), Some((0.5, 0.75)));
        assert_eq!(row.against("tonic"), Some(0.5));
        assert_eq!(row.is_met(), Some(true));
    }

    #[test]
    fn a_failed_round_is_left_out() {
        let mut row = row([1.0, 1.0, 1.0], [1.0, 1.0, 4.0], 0.5);
        row.figures[1].rounds[0] = None;
        row.figures[1].rounds[1] = None;
        row.conclude();
        assert_eq!(row.ratio(), Some(0.25));
    }
}
