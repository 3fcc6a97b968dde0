//! The beginning of a text that others wrote, which may be of any length.

/// The bytes of an error's text that are told.
pub(super) const TEXT: usize = 1_024;

/// As much of the text as is in so many bytes.
pub(super) fn excerpt(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.split_at(end).0
}

#[cfg(test)]
mod tests {
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
}
