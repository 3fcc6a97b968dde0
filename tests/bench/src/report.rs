//! The figures of a run, as a table and as JSON. It must never show a time
//! without the ratio of the same run: times are the machine's, ratios are ours.

use std::fmt::Write as _;
use std::time::Duration;

use crate::implementation::{Flavor, Implementation};

/// Which side of a call a row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Server,
    Client,
}

/// One measurement: so many calls, once.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    pub side: Side,
    pub flavor: Flavor,
    pub implementation: Implementation,
    pub round: usize,
    /// CPU time a call, in µs.
    pub cpu: f64,
    /// Wall time a call, in µs.
    pub wall: f64,
}

/// A run's samples and what they were taken with.
#[derive(Debug)]
pub struct Report {
    pub load: String,
    pub calls: usize,
    pub rounds: usize,
    pub samples: Vec<Sample>,
}

impl Side {
    pub const ALL: [Self; 2] = [Self::Server, Self::Client];

    pub fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Client => "client",
        }
    }
}

/// A time divided by a number of calls, in µs.
pub fn per_call(time: Duration, calls: usize) -> f64 {
    time.as_secs_f64() * 1e6 / calls as f64
}

impl Report {
    pub fn table(&self) -> String {
        let mut text = format!(
            "Unary calls, {} rounds of {}; servers driven by {}.\n\
             Medians; a ratio is the median of the rounds' ratios.\n\n\
             | measured | runtime | CPU µs/call: ours | tonic | ratio | wall µs/call: ours | tonic | ratio |\n\
             |---|---|---|---|---|---|---|---|\n",
            self.rounds, self.calls, self.load
        );
        for (side, flavor) in rows() {
            let [ours, tonic] = Implementation::ALL.map(|each| self.of(side, flavor, each));
            let cpu = Figures::of(&ours, &tonic, |sample| sample.cpu);
            let wall = Figures::of(&ours, &tonic, |sample| sample.wall);
            let _ = writeln!(text, "| {} | {flavor} | {cpu} | {wall} |", side.name());
        }
        text
    }

    pub fn json(&self) -> String {
        let mut text = format!(
            "{{\n  \"load\": \"{}\",\n  \"calls\": {},\n  \"rounds\": {},\n  \"rows\": [\n",
            self.load, self.calls, self.rounds
        );
        let rows: Vec<String> = rows()
            .map(|(side, flavor)| {
                let [ours, tonic] = Implementation::ALL.map(|each| self.of(side, flavor, each));
                let cpu = Figures::of(&ours, &tonic, |sample| sample.cpu);
                let wall = Figures::of(&ours, &tonic, |sample| sample.wall);
                format!(
                    "    {{\"measured\": \"{}\", \"runtime\": \"{flavor}\", \"cpu_us\": {}, \
                     \"wall_us\": {}, \"cpu_us_rounds\": {{\"ours\": {}, \"tonic\": {}}}}}",
                    side.name(),
                    cpu.json(),
                    wall.json(),
                    list(&ours),
                    list(&tonic),
                )
            })
            .collect();
        let _ = write!(text, "{}\n  ]\n}}\n", rows.join(",\n"));
        text
    }

    fn of(&self, side: Side, flavor: Flavor, implementation: Implementation) -> Vec<Sample> {
        let is_wanted = |sample: &&Sample| {
            (sample.side, sample.flavor, sample.implementation) == (side, flavor, implementation)
        };
        self.samples.iter().filter(is_wanted).copied().collect()
    }
}

fn rows() -> impl Iterator<Item = (Side, Flavor)> {
    Side::ALL
        .into_iter()
        .flat_map(|side| Flavor::ALL.map(|flavor| (side, flavor)))
}

fn list(samples: &[Sample]) -> String {
    let figures: Vec<String> = samples
        .iter()
        .map(|each| format!("{:.3}", each.cpu))
        .collect();
    format!("[{}]", figures.join(", "))
}

/// Both sides' medians and the median ratio.
struct Figures {
    ours: f64,
    tonic: f64,
    ratio: f64,
}

impl Figures {
    /// Samples of one round stand at the same place, and are compared with each
    /// other alone: what the machine does changes more slowly than rounds.
    fn of(ours: &[Sample], tonic: &[Sample], figure: impl Fn(&Sample) -> f64) -> Self {
        let ratios = ours.iter().zip(tonic).map(|(a, b)| figure(a) / figure(b));
        Self {
            ours: median(ours.iter().map(&figure)),
            tonic: median(tonic.iter().map(&figure)),
            ratio: median(ratios),
        }
    }

    fn json(&self) -> String {
        format!(
            "{{\"ours\": {:.3}, \"tonic\": {:.3}, \"ratio\": {:.3}}}",
            self.ours, self.tonic, self.ratio
        )
    }
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:.2} | {:.2} | **{:.2}**",
            self.ours, self.tonic, self.ratio
        )
    }
}

/// Zero of nothing.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => 0.0,
        length if length % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}
