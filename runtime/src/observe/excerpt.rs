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
mod tests;
