//! The data set, which calls only read.

use std::num::ParseIntError;

use crate::{Feature, Point};

/// `name,latitude,longitude` in degrees times 10,000,000, below one line of
/// headings.
const CSV: &str = include_str!("../../../data/capitals.csv");

/// All capitals, in order of their names.
///
/// # Errors
/// The first line that is not of that form.
pub(crate) fn load() -> Result<Vec<Feature>, String> {
    let lines = CSV.lines().skip(1);
    lines
        .map(|line| parse(line).ok_or_else(|| format!("not a capital: '{line}'")))
        .collect()
}

fn parse(line: &str) -> Option<Feature> {
    let mut fields = line.split(',');
    let name = fields.next()?.to_owned();
    let mut degrees = fields.map(|field| -> Result<i32, ParseIntError> { field.parse() });
    let location = Point {
        latitude: degrees.next()?.ok()?,
        longitude: degrees.next()?.ok()?,
    };
    Some(Feature {
        name,
        location: Some(location),
    })
}

/// The capital of that name.
///
/// # Errors
/// There is none.
pub(crate) fn location(capitals: &[Feature], name: &str) -> Result<Point, String> {
    let capital = capitals.iter().find(|capital| capital.name == name);
    capital
        .and_then(|capital| capital.location)
        .ok_or_else(|| format!("'{name}' is not in the data"))
}
