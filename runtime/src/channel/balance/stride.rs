//! Turns by weight: which endpoint is next where each has a share (static stride
//! scheduling). Pure, and without a lock: all that changes is a sequence of numbers
//! that its users draw from.

/// What the heaviest weighs.
const MOST: u64 = u16::MAX as u64;
/// Puts the endpoints' turns out of step, so that those of one weight do not come all
/// at once.
const OFFSET: u64 = MOST / 2;
/// A weight counts as at most so many times the mean, and as at least that share of it:
/// a report that is far off must not take all calls, or none.
const MOST_MEANS: f64 = 10.0;
const LEAST_MEANS: f64 = 0.01;

/// The turns of endpoints that have these shares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stride {
    shares: Vec<u16>,
}

impl Stride {
    /// `None` is a weight that is not known, for which the mean of the others stands.
    /// Where fewer than two are known all have the same share.
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

    /// The place of the endpoint whose turn it is. `draw` gives each number of a
    /// sequence once, which wraps; there has to be an endpoint.
    pub(super) fn next(&self, mut draw: impl FnMut() -> u32) -> usize {
        let length = self.shares.len().max(1) as u64;
        loop {
            let drawn = u64::from(draw());
            let (place, round) = (drawn % length, drawn / length);
            let share = u64::from(self.shares.get(place as usize).copied().unwrap_or(u16::MAX));
            // Over the rounds this is a turn in each `MOST / share`.
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
