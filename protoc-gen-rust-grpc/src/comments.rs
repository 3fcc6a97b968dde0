//! Proto comments → rustdoc that is safe to show: nothing in it may become a
//! doctest, an HTML tag or a link rustdoc cannot resolve, while lists, emphasis,
//! headings and real links stay.
//!
//! Two passes. This file cuts the text into blocks the way `CommonMark` does, so that every
//! code block comes out as a fence marked `text` and no other line is indented so deep that
//! it would be one; [`inline`] escapes what is left. A line is never indented deeper than
//! the list item it belongs to: a misjudged line can break the shape of a list, but does not
//! become code.

mod block;
mod inline;

use block::Blocks;

/// The lines of one comment, without the space that follows `///`.
pub(crate) fn sanitise(comment: &str) -> Vec<String> {
    let mut blocks = Blocks::default();
    for line in dedent(comment) {
        blocks.line(&line);
    }
    blocks.finish()
}

/// A comment before an item and one after it, as one text.
pub(crate) fn join(leading: &str, trailing: &str) -> Vec<String> {
    let mut lines = sanitise(leading);
    let after = sanitise(trailing);
    if !lines.is_empty() && !after.is_empty() {
        lines.push(String::new());
    }
    lines.extend(after);
    lines
}

/// The text without the indentation all lines share (the blank after `//`) and
/// without characters that rustc rejects or hides in comments.
fn dedent(comment: &str) -> Vec<String> {
    // `/** text */` reaches us as `* text`: the star is no bullet.
    let text = match comment.strip_prefix('*') {
        Some(rest) => format!(" {rest}"),
        None => comment.to_owned(),
    };
    let lines: Vec<String> = text.lines().map(clean).collect();
    let shared = lines
        .iter()
        .filter(|line| !line.is_empty())
        .map(|line| indentation(line))
        .min()
        .unwrap_or(0);
    lines
        .into_iter()
        .map(|line| line.get(shared..).unwrap_or_default().to_owned())
        .collect()
}

/// Tabs become spaces up to a multiple of four; control characters (a lone CR
/// is an error in a doc comment) and those that reorder text are dropped.
fn clean(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut column = 0;
    for character in line.chars() {
        match character {
            '\t' => {
                let width = 4 - column % 4;
                out.extend(std::iter::repeat_n(' ', width));
                column += width;
            }
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {}
            other if other.is_control() => {}
            other => {
                out.push(other);
                column += 1;
            }
        }
    }
    out.truncate(out.trim_end().len());
    out
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

#[cfg(test)]
mod tests;
