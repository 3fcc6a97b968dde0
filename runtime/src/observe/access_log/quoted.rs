//! Text that others wrote, within quotes that it cannot leave.

use crate::observe::excerpt::excerpt;

/// Appends so many bytes of the text. What is not printable is written by `escape`: control
/// characters, and those that turn the direction of what follows.
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
