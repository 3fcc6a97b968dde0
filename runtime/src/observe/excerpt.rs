//! Cuts text of peers, which may have any length.

/// The bytes of an error's text that are reported.
pub(super) const TEXT: usize = 1_024;

/// As many whole characters of the text as fit into `most` bytes.
pub(super) fn excerpt(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.split_at(end).0
}

#[cfg(test)]
mod tests;
