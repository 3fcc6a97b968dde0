//! Errors as people read them: the path on disk, the place, the line with a
//! mark under it.

use std::borrow::Cow;

use protoc_gen_rust_grpc::Diagnostic;

use crate::sources::Sources;

/// The longest line that is shown whole, in characters.
const LONGEST: usize = 160;

/// A place in a file. Line and column count from 1, the column in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) column: usize,
    /// How many characters to mark, at least one.
    pub(crate) width: usize,
}

impl Place {
    /// The place of `length` bytes at `offset`; the end of the text where the
    /// offset lies past it.
    pub(crate) fn at_offset(text: &str, offset: usize, length: usize) -> Self {
        let start = boundary(text, offset);
        let end = boundary(text, start.saturating_add(length));
        let line_start = text[..start].rfind('\n').map_or(0, |found| found + 1);
        let marked = text[start..end].lines().next().unwrap_or_default();
        Self {
            line: text[..start].matches('\n').count() + 1,
            column: text[line_start..start].chars().count() + 1,
            width: marked.chars().count().max(1),
        }
    }
}

/// The last character boundary not behind `offset`.
fn boundary(text: &str, offset: usize) -> usize {
    let mut at = offset.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// `path:line:column: message`, the line, and what else there is to say under it.
pub(crate) fn located(
    sources: &Sources,
    name: &str,
    place: Option<Place>,
    message: &str,
    notes: &[String],
) -> String {
    use std::fmt::Write as _;

    let path = sources.shown(name);
    let Some(place) = place else {
        return with_notes(format!("{path}: {message}"), "", notes);
    };
    let mut text = format!("{path}:{}:{}: {message}", place.line, place.column);
    let source = sources.text(name);
    let line = source
        .as_deref()
        .and_then(|source| source.lines().nth(place.line - 1));
    let Some(line) = line else {
        return with_notes(text, "", notes);
    };
    let number = place.line.to_string();
    let gutter = " ".repeat(number.len());
    let (line, column) = around(line, place.column - 1);
    // Tabs before the mark are kept, so that it stands where they put it.
    let before: String = line
        .chars()
        .take(column)
        .map(|next| if next == '\t' { '\t' } else { ' ' })
        .collect();
    let rest = line.chars().count().saturating_sub(column);
    let mark = "^".repeat(place.width.min(rest.max(1)));
    let _ = write!(
        text,
        "\n {gutter} |\n {number} | {line}\n {gutter} | {before}{mark}"
    );
    with_notes(text, &gutter, notes)
}

/// The line, and the position of the mark in it; of a long line only the part around the
/// mark, since a generated file may be one line of megabytes.
fn around(line: &str, column: usize) -> (Cow<'_, str>, usize) {
    if line.chars().nth(LONGEST).is_none() {
        return (Cow::Borrowed(line), column);
    }
    let start = column.saturating_sub(LONGEST / 2);
    let mut rest = line.chars().skip(start);
    let shown: String = rest.by_ref().take(LONGEST).collect();
    let before = if start > 0 { "…" } else { "" };
    let after = if rest.next().is_some() { "…" } else { "" };
    let text = format!("{before}{shown}{after}");
    (Cow::Owned(text), column - start + before.chars().count())
}

/// `= help: …` and the like, each on a line of its own.
fn with_notes(mut text: String, gutter: &str, notes: &[String]) -> String {
    use std::fmt::Write as _;

    for note in notes {
        let _ = write!(text, "\n {gutter} = {note}");
    }
    text
}

/// Everything the generator has to say, which names files as imports do.
pub(crate) fn of_generator<'d>(
    diagnostics: impl IntoIterator<Item = &'d Diagnostic>,
    sources: &Sources,
) -> Vec<String> {
    diagnostics
        .into_iter()
        .map(|diagnostic| {
            let notes: Vec<String> = diagnostic
                .help()
                .map(|help| format!("help: {help}"))
                .into_iter()
                .collect();
            let Some(name) = diagnostic.file() else {
                return with_notes(diagnostic.message().to_owned(), "", &notes);
            };
            let place = diagnostic
                .position()
                .map(|(line, column)| in_source(sources, name, line, column));
            located(sources, name, place, diagnostic.message(), &notes)
        })
        .collect()
}

/// The same on one line each, without the source: for cargo, whose warnings
/// have one line.
pub(crate) fn as_lines(diagnostics: &[Diagnostic], sources: &Sources) -> Vec<String> {
    let line = |diagnostic: &Diagnostic| {
        let mut text = String::new();
        if let Some(name) = diagnostic.file() {
            text = sources.shown(name);
            if let Some((line, column)) = diagnostic.position() {
                let place = in_source(sources, name, line, column);
                text = format!("{text}:{}:{}", place.line, place.column);
            }
            text.push_str(": ");
        }
        text.push_str(diagnostic.message());
        if let Some(help) = diagnostic.help() {
            text.push_str("; ");
            text.push_str(help);
        }
        text
    };
    diagnostics.iter().map(line).collect()
}

/// A place whose column was counted by a compiler, for which a tab reaches to
/// the next multiple of eight.
pub(crate) fn in_source(sources: &Sources, name: &str, line: usize, column: usize) -> Place {
    let text = sources.text(name).unwrap_or_default();
    let source = text.lines().nth(line - 1).unwrap_or_default();
    let mut counted = 0;
    let mut characters = 0;
    for next in source.chars() {
        if counted + 1 >= column {
            break;
        }
        counted += if next == '\t' {
            8 - counted % 8
        } else {
            next.len_utf8()
        };
        characters += 1;
    }
    let width = source
        .chars()
        .skip(characters)
        .take_while(|next| next.is_ascii_alphanumeric() || *next == '_')
        .count();
    Place {
        line,
        column: characters + 1,
        width: width.max(1),
    }
}

#[cfg(test)]
mod tests;
