//! Points on the earth and distances between them.

use crate::{Point, Rectangle};

/// The earth's mean radius, in metres.
const RADIUS: f64 = 6_371_000.0;

/// The way between two points along the great circle, in metres (haversine).
pub(crate) fn distance(from: Point, to: Point) -> f64 {
    let radians = |e7: i32| (f64::from(e7) / 1e7).to_radians();
    let (from_latitude, to_latitude) = (radians(from.latitude), radians(to.latitude));
    let latitudes = to_latitude - from_latitude;
    let longitudes = radians(to.longitude) - radians(from.longitude);
    let half_chord = (latitudes / 2.0).sin().powi(2)
        + from_latitude.cos() * to_latitude.cos() * (longitudes / 2.0).sin().powi(2);
    2.0 * RADIUS * half_chord.sqrt().asin()
}

/// Whether `point` lies in `rectangle`, edges and all. A missing corner is the point at 0°,
/// 0°: protobuf's default values.
pub(crate) fn contains(rectangle: &Rectangle, point: Point) -> bool {
    let lo = rectangle.lo.unwrap_or_default();
    let hi = rectangle.hi.unwrap_or_default();
    let between = |value, one: i32, other: i32| (one.min(other)..=one.max(other)).contains(&value);
    between(point.latitude, lo.latitude, hi.latitude)
        && between(point.longitude, lo.longitude, hi.longitude)
}
