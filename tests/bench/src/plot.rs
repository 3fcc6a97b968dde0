//! The ratios of a report as an SVG plot: a line for each row, tonic at 1.

use plotters::coord::Shift;
use plotters::prelude::{
    BLACK, Circle, Color, DrawingArea, DrawingBackend, IntoDrawingArea, IntoFont, PathElement,
    RGBColor, Rectangle, SVGBackend, Text, TextStyle, WHITE,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::Error;
use crate::report::{Report, Row};

const LABELS: i32 = 400;
const PLOT: i32 = 560;
const MARGIN: i32 = 20;
const TOP: i32 = 64;
const LINE: i32 = 17;

const LESS: RGBColor = RGBColor(58, 110, 165);
const MORE: RGBColor = RGBColor(200, 80, 60);
const OTHERS: [RGBColor; 7] = [
    RGBColor(230, 150, 40),
    RGBColor(80, 150, 80),
    RGBColor(150, 90, 190),
    RGBColor(40, 170, 190),
    RGBColor(210, 90, 150),
    RGBColor(140, 140, 140),
    RGBColor(150, 110, 70),
];

/// On a dark page paper and ink change places; the other colours suit both.
const DARK: &str = "<style>@media (prefers-color-scheme: dark) { \
    rect[fill=\"#FFFFFF\"] { fill: #0D1117 } \
    text[fill=\"#000000\"] { fill: #E6EDF3 } \
    polyline[stroke=\"#000000\"] { stroke: #E6EDF3 } \
    rect[fill=\"#000000\"] { fill: #E6EDF3 } }</style>";

/// Ratios from a hundredth to a hundredfold, each tenfold as wide.
fn place(ratio: f64) -> i32 {
    let share = (ratio.clamp(0.01, 100.0).log10() + 2.0) / 4.0;
    LABELS + (share * f64::from(PLOT)) as i32
}

/// The plot as the text of an SVG file.
pub fn svg(report: &Report) -> Result<String, Error> {
    let rows: Vec<&Row> = report
        .rows
        .iter()
        .filter(|row| row.ratio().is_some())
        .collect();
    let bottom = TOP + LINE * rows.len() as i32;
    let mut text = String::new();
    {
        let size = (
            (LABELS + PLOT + MARGIN) as u32,
            (bottom + 2 * MARGIN) as u32,
        );
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        area.fill(&WHITE)?;
        frame(&area, &rows, bottom)?;
        for (number, row) in rows.iter().enumerate() {
            line(&area, row, TOP + LINE * number as i32)?;
        }
        area.present()?;
    }
    Ok(themed(&text))
}

/// An SVG that is legible on light and dark pages.
pub fn themed(svg: &str) -> String {
    match svg.split_once('>') {
        Some((open, rest)) => format!("{open}>\n{DARK}{rest}"),
        None => svg.to_owned(),
    }
}

/// Who the circles stand for, in the order of their colours.
fn others(row: &Row) -> impl Iterator<Item = (&str, Option<f64>, RGBColor)> {
    row.figures
        .iter()
        .filter(|figures| !["ours", "tonic"].contains(&figures.implementation.as_str()))
        .zip(OTHERS)
        .map(|(figures, colour)| (figures.implementation.as_str(), figures.ratio, colour))
}

pub fn style(size: i32, across: HPos) -> TextStyle<'static> {
    let pos = Pos::new(across, VPos::Center);
    ("sans-serif", size).into_font().color(&BLACK).pos(pos)
}

/// Title, legend, and the lines of the scale.
fn frame<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    rows: &[&Row],
    bottom: i32,
) -> Result<(), Error>
where
    B::ErrorType: 'static,
{
    let title = "Figures as multiples of tonic's in the same rounds (log scale; left is less)";
    area.draw(&Text::new(title, (MARGIN, 16), style(18, HPos::Left)))?;
    let mut x = MARGIN;
    let mut legend = |name: &str, colour: RGBColor| {
        let square = [(x, 34), (x + 10, 44)];
        let drawn = area.draw(&Rectangle::new(square, colour.filled()));
        let text = Text::new(name.to_owned(), (x + 15, 39), style(15, HPos::Left));
        x += 40 + 7 * name.len() as i32;
        drawn.and_then(|()| area.draw(&text))
    };
    legend("ours, less", LESS)?;
    legend("ours, more", MORE)?;
    legend("goal", BLACK)?;
    // Rows without ours and tonic alone (build cost) know of no others.
    let fullest = rows.iter().max_by_key(|row| row.figures.len());
    for (name, _, colour) in fullest.iter().flat_map(|row| others(row)) {
        legend(name, colour)?;
    }
    for ratio in [0.01, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 100.0] {
        let x = place(ratio);
        let shade = if ratio == 1.0 { 1.0 } else { 0.15 };
        let scale = BLACK.mix(shade).stroke_width(1);
        area.draw(&PathElement::new([(x, TOP - 6), (x, bottom)], scale))?;
        let label = Text::new(ratio.to_string(), (x, bottom + 12), style(14, HPos::Center));
        area.draw(&label)?;
    }
    Ok(())
}

/// A row: a bar from tonic to ours, the goal, and the others.
fn line<B: DrawingBackend>(area: &DrawingArea<B, Shift>, row: &Row, y: i32) -> Result<(), Error>
where
    B::ErrorType: 'static,
{
    let middle = y + LINE / 2;
    let label = format!("{}, {}: {}", row.title, row.setup, row.measure);
    area.draw(&Text::new(
        label,
        (LABELS - 8, middle),
        style(14, HPos::Right),
    ))?;
    let ratio = row.ratio().unwrap_or(1.0);
    let colour = if ratio <= 1.0 { LESS } else { MORE };
    let bar = [(place(ratio), y + 3), (place(1.0), y + LINE - 3)];
    area.draw(&Rectangle::new(bar, colour.filled()))?;
    if let Some(goal) = row.goal {
        let x = place(goal);
        let mark = [(x, y + 1), (x, y + LINE - 1)];
        area.draw(&PathElement::new(mark, BLACK.stroke_width(2)))?;
    }
    for (_, ratio, colour) in others(row) {
        if let Some(ratio) = ratio {
            area.draw(&Circle::new((place(ratio), middle), 3, colour.filled()))?;
        }
    }
    Ok(())
}
