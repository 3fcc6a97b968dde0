//! Quotes text of peers, so that it cannot end its quotes or the line.

use crate::observe::excerpt::excerpt;

/// Appends at most `most` bytes of the text. `escape` writes what is not printable: control
/// characters, and characters that change the direction of text.
pub(super) fn push(line: &mut String, text: &str, most: usize, escape: fn(&mut String, char)) {
    let told = excerpt(text, most);
    line.push('"');
    for c in told.chars() {
        match c {
            '"' | '\\' => line.extend(['\\', c]),
            ' '..='~' => line.push(c),
            _ if c.escape_debug().len() == 1 => line.push(c),
            _ => escape(line, c),
        }
    }
    if told.len() < text.len() {
        line.push('…');
    }
    line.push('"');
}
