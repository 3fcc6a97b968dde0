//! Unit tests of `excerpt`.

use super::excerpt;

#[test]
fn a_character_is_told_whole_or_not_at_all() {
    for (most, told) in [
        (0, ""),
        (1, "a"),
        (2, "a"),
        (3, "aé"),
        (4, "aéb"),
        (9, "aéb"),
    ] {
        assert_eq!(excerpt("aéb", most), told);
    }
}
