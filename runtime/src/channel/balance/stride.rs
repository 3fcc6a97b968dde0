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
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// How often each has its turn, from a place in the sequence on.
    fn turns(stride: &Stride, from: u32, turns: usize) -> Vec<usize> {
        let mut sequence = from;
        let mut had = vec![0; stride.shares.len()];
        for _ in 0..turns {
            let next = stride.next(|| {
                sequence = sequence.wrapping_add(1);
                sequence
            });
            had[next] += 1;
        }
        had
    }

    #[test]
    fn fewer_than_two_known_weights_are_turns_by_number() {
        for weights in [&[None, None, None][..], &[None, Some(7.0), None]] {
            let stride = Stride::new(weights);
            let mut sequence = 0;
            let mut next = || {
                stride.next(|| {
                    sequence += 1;
                    sequence
                })
            };
            let order: Vec<_> = (0..6).map(|_| next()).collect();
            assert_eq!(order, [1, 2, 0, 1, 2, 0]);
        }
    }

    #[test]
    fn one_endpoint_has_all() {
        assert_eq!(turns(&Stride::new(&[Some(3.0)]), 0, 10), [10]);
        assert_eq!(turns(&Stride::new(&[None]), 0, 10), [10]);
    }

    #[test]
    fn a_weight_that_is_not_known_is_the_mean_of_the_others() {
        let stride = Stride::new(&[Some(1.0), None, Some(3.0)]);
        assert_eq!(turns(&stride, 0, 600), [100, 200, 300]);
    }

    #[test]
    fn a_weight_that_is_far_off_is_limited() {
        let mut weights = vec![Some(1.0); 99];
        weights.push(Some(1e12));
        // The mean is a hundredth of the one: it counts as ten means.
        let stride = Stride::new(&weights);
        assert_eq!(stride.shares[99], u16::MAX);
        // And the others as a hundredth of it: a thousandth of that.
        assert_eq!(stride.shares[0], 66);
    }

    #[test]
    fn weights_that_no_number_tells_are_even() {
        for weight in [f64::INFINITY, f64::NAN, f64::MAX] {
            let stride = Stride::new(&[Some(weight), Some(weight)]);
            assert_eq!(turns(&stride, 0, 10), [5, 5], "{weight}");
        }
    }

    /// grpc-go and gRPC's C core wrap at the same number.
    #[test]
    fn the_sequence_wraps() {
        let stride = Stride::new(&[Some(1.0), Some(2.0), Some(3.0)]);
        let had = turns(&stride, u32::MAX - 1_000, 3_000);
        for (had, expected) in had.iter().zip([500_usize, 1_000, 1_500]) {
            assert!(had.abs_diff(expected) <= 3, "{had} of {expected}");
        }
    }

    proptest! {
        #[test]
        fn shares_follow_the_weights(
            weights in proptest::collection::vec(proptest::option::of(0.2_f64..5.0), 1..30),
            from in any::<u32>(),
        ) {
            let stride = Stride::new(&weights);
            let calls = 200 * weights.len();
            let had = turns(&stride, from, calls);
            let known: Vec<f64> = weights.iter().flatten().copied().collect();
            let mean = known.iter().sum::<f64>() / known.len() as f64;
            let of = |weight: &Option<f64>| match (known.len(), weight) {
                (0 | 1, _) => 1.0,
                (_, Some(weight)) => *weight,
                (_, None) => mean,
            };
            let sum: f64 = weights.iter().map(of).sum();
            for (weight, had) in weights.iter().zip(&had) {
                let expected = of(weight) / sum * calls as f64;
                // A turn at either end, where the sequence wraps, and what rounding does
                // to the shares.
                prop_assert!((*had as f64 - expected).abs() <= 4.0 + expected / 100.0,
                    "{had} where {expected} are due");
            }
        }
    }
}
