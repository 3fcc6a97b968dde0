//! Unit tests of `chance`.

use super::Chance;

#[test]
fn numbers_differ_and_fill_the_range() {
    let chance = Chance::default();
    let drawn: Vec<f64> = (0..1_000).map(|_| chance.next()).collect();
    assert!(drawn.iter().all(|number| (0.0..1.0).contains(number)));
    assert!(drawn.iter().any(|number| *number < 0.2));
    assert!(drawn.iter().any(|number| *number > 0.8));
}

#[cfg(feature = "dns-txt")]
#[test]
fn the_number_of_a_place_stays_and_others_have_others() {
    let chance = Chance::default();
    let drawn: Vec<f64> = (0..1_000).map(|place| chance.at(place)).collect();
    assert!(drawn.iter().any(|number| *number < 0.2));
    assert!(drawn.iter().any(|number| *number > 0.8));
    for (place, number) in drawn.iter().enumerate() {
        assert!((0.0..1.0).contains(number));
        assert!(chance.at(place).total_cmp(number).is_eq());
    }
    let others = (0..1_000).map(|place| Chance::default().at(place));
    assert!(
        others
            .zip(drawn)
            .any(|(one, other)| one.total_cmp(&other).is_ne())
    );
}
