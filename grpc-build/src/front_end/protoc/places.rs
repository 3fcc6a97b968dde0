//! Places of what protoc tells without one, looked for in the text. A place that
//! is not certain is none.

use crate::report::Place;

/// The place of what protoc says of a file with this text. `before` counts how
/// often it has said the same already.
pub(super) fn find(message: &str, text: &str, before: usize) -> Option<Place> {
    // `Field numbers 19000 through 19999 are reserved for …`; older protocs give
    // the place.
    let rest = message.strip_prefix("Field numbers ")?;
    let (range, _) = rest.split_once(" are reserved")?;
    let (first, last) = range.split_once(" through ")?;
    let reserved = first.parse::<u32>().ok()?..=last.parse::<u32>().ok()?;
    let mut given = numbers_given(text).filter(|(_, word)| {
        let number = number(word);
        number.is_some_and(|number| reserved.contains(&number))
    });
    let (start, word) = given.nth(before)?;
    Some(Place::at_offset(text, start, word.len()))
}

/// The words that stand behind a `=` and begin with a digit, outside of brackets
/// (options), comments and strings, with their offsets.
fn numbers_given(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    let mut after_equals = false;
    let mut brackets = 0_usize;
    std::iter::from_fn(move || {
        while let Some(next) = text[at..].chars().next() {
            let start = at;
            at = start + token_len(&text[start..]);
            let token = &text[start..at];
            match next {
                _ if token.starts_with("//") || token.starts_with("/*") => {}
                '=' => after_equals = true,
                '[' => brackets += 1,
                ']' => brackets = brackets.saturating_sub(1),
                _ if next.is_whitespace() => {}
                _ => {
                    let is_given = after_equals && brackets == 0 && next.is_ascii_digit();
                    after_equals = false;
                    if is_given {
                        return Some((start, token));
                    }
                }
            }
        }
        None
    })
}

/// How long the token, comment or space is that `text` begins with.
fn token_len(text: &str) -> usize {
    let to = |end: Option<usize>| end.unwrap_or(text.len());
    let Some(first) = text.chars().next() else {
        return 0;
    };
    let in_word = |next: char| next.is_ascii_alphanumeric() || next == '_' || next == '.';
    match first {
        _ if text.starts_with("//") => to(text.find('\n')),
        _ if text.starts_with("/*") => to(text.find("*/").map(|end| end + 2)),
        '"' | '\'' => {
            let mut escaped = false;
            let end = text[1..].find(|next: char| {
                let ends = !escaped && (next == first || next == '\n');
                escaped = !escaped && next == '\\';
                ends
            });
            to(end.map(|end| end + 2))
        }
        _ if in_word(first) => to(text.find(|next: char| !in_word(next))),
        _ => first.len_utf8(),
    }
}

/// A number as proto writes it: decimal, hexadecimal or octal.
fn number(word: &str) -> Option<u32> {
    let lower = word.to_ascii_lowercase();
    match lower.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None if lower.len() > 1 && lower.starts_with('0') => u32::from_str_radix(&lower, 8).ok(),
        None => lower.parse().ok(),
    }
}

#[cfg(test)]
mod tests;
