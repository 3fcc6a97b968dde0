//! Unit tests of `stride`.

use proptest::prelude::*;

use super::*;

/// How often each endpoint has its turn, from this place of the sequence on.
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
    // The mean is a hundredth of the one weight, which counts as ten means.
    let stride = Stride::new(&weights);
    assert_eq!(stride.shares[99], u16::MAX);
    // The others count as a hundredth of the mean: a thousandth of that.
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
            // Tolerance: a turn at either end, where the sequence wraps, and the rounding
            // of shares.
            prop_assert!((*had as f64 - expected).abs() <= 4.0 + expected / 100.0,
                "{had} where {expected} are due");
        }
    }
}
