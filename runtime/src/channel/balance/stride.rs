//! Schedules turns by weight (static stride scheduling). Pure and without a lock: the only
//! state is a sequence of numbers that its users draw from.

/// The share of the heaviest endpoint.
const MOST: u64 = u16::MAX as u64;
/// Shifts the endpoints' turns, so that those of the same weight do not come all at once.
const OFFSET: u64 = MOST / 2;
/// The bounds of a weight, in multiples of the mean: a wrong report must not attract all
/// calls, or none.
const MOST_MEANS: f64 = 10.0;
const LEAST_MEANS: f64 = 0.01;

/// The schedule of endpoints with these shares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stride {
    shares: Vec<u16>,
}

impl Stride {
    /// `None` is an unknown weight, which counts as the mean of the others. If fewer than
    /// two are known, all have the same share.
    pub(super) fn new(weights: &[Option<f64>]) -> Self {
        let known = || weights.iter().flatten().copied();
        if known().count() < 2 {
            return Self::even(weights.len());
        }
        #[expect(clippy::cast_precision_loss, reason = "they are few")]
        let mean = known().sum::<f64>() / known().count() as f64;
        if !mean.is_finite() || mean <= 0.0 {
            return Self::even(weights.len());
        }
        let (least, most) = (mean * LEAST_MEANS, mean * MOST_MEANS);
        let limited = |weight: Option<f64>| weight.unwrap_or(mean).clamp(least, most);
        let heaviest = weights.iter().copied().map(limited).fold(0.0, f64::max);
        let share = |weight| {
            let share = (limited(weight) / heaviest * f64::from(u16::MAX)).round();
            #[expect(clippy::cast_sign_loss, reason = "at least 1")]
            let share = share.clamp(1.0, f64::from(u16::MAX)) as u16;
            share
        };
        Self {
            shares: weights.iter().copied().map(share).collect(),
        }
    }

    fn even(length: usize) -> Self {
        Self {
            shares: vec![u16::MAX; length],
        }
    }

    /// The index of the endpoint whose turn it is. `draw` returns each number of a wrapping
    /// sequence once. There must be an endpoint.
    pub(super) fn next(&self, mut draw: impl FnMut() -> u32) -> usize {
        let length = self.shares.len().max(1) as u64;
        loop {
            let drawn = u64::from(draw());
            let (place, round) = (drawn % length, drawn / length);
            let share = u64::from(self.shares.get(place as usize).copied().unwrap_or(u16::MAX));
            // Over all rounds the endpoint has one turn in `MOST / share` rounds.
            if (share * round + place * OFFSET) % MOST < MOST - share {
                continue;
            }
            return place as usize;
        }
    }
}

#[cfg(test)]
#[expect(clippy::cast_precision_loss, reason = "they are few")]
mod tests;
