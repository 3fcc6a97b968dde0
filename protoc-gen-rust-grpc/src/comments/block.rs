//! The blocks of a comment: paragraphs, list items, quotes and code, as `CommonMark` 0.31 tells
//! them apart. Code is marked as text, so that rustdoc does not run it.

use super::{indentation, inline};

/// Takes lines, keeps the state of open blocks, and returns safe lines.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    out: Vec<String>,
    /// The columns where the open list items' contents begin, outermost first.
    items: Vec<usize>,
    /// Prefix and text of each line of the open paragraph.
    paragraph: Vec<(String, String)>,
    code: Option<Code>,
    /// The open paragraph is a quote's.
    in_quote: bool,
    /// The last line opened a list item and put nothing in it: a blank line
    /// now ends the item (section 5.2, rule 3).
    empty_item: bool,
}

/// An open code block.
#[derive(Debug)]
struct Code {
    /// The text before the opening fence: a list marker or indentation.
    lead: String,
    column: usize,
    /// The fence's character and length; `None` for an indented block.
    fence: Option<(char, usize)>,
    /// How much indentation the content's lines lose.
    strip: usize,
    lines: Vec<String>,
}

impl Blocks {
    pub(super) fn line(&mut self, line: &str) {
        if self.code.is_some() && self.code_line(line) {
            return;
        }
        if line.trim().is_empty() {
            self.flush();
            self.out.push(String::new());
            if self.empty_item {
                self.items.pop();
                self.empty_item = false;
            }
            return;
        }
        let indent = indentation(line);
        self.start(String::new(), indent, line.trim_start_matches(' '));
    }

    pub(super) fn finish(mut self) -> Vec<String> {
        self.close_code();
        self.flush();
        let used = self
            .out
            .iter()
            .rposition(|line| !line.is_empty())
            .map_or(0, |last| last + 1);
        self.out.truncate(used);
        let blank = self.out.iter().take_while(|line| line.is_empty()).count();
        self.out.drain(..blank);
        self.out
    }

    /// One line's content at its column. `lead` is the list markers that stood
    /// before it on the same line.
    fn start(&mut self, lead: String, indent: usize, content: &str) {
        if self.in_quote && !content.starts_with('>') {
            // Else it could go on lazily with the quote's paragraph.
            self.flush();
            self.out.push(String::new());
        }
        let in_paragraph = !self.paragraph.is_empty();
        self.empty_item = false;
        // Items deeper than this line: left behind, unless the line turns out
        // to be a lazy continuation of the open paragraph.
        let kept = self.items.partition_point(|column| *column <= indent);
        let base = kept.checked_sub(1).map_or(0, |last| self.items[last]);
        let lazy = in_paragraph && kept < self.items.len();

        if indent - base >= 4 && lead.is_empty() {
            if in_paragraph {
                self.continue_paragraph(&escape_start(content));
            } else {
                self.leave(kept);
                self.open_code(" ".repeat(base), base, None, base + 4);
                self.code_line(&format!("{}{content}", " ".repeat(indent)));
            }
            return;
        }

        if in_paragraph && is_table_rule(content) && Marker::read(content).is_some() {
            // Some renderers read it as a list, others as a table: escape it, so that it is
            // neither.
            self.continue_paragraph(&escape_start(content));
        } else if let Some(fence) = opening_fence(content) {
            self.leave(kept);
            let lead = or_spaces(lead, base);
            self.open_code(lead, base, Some(fence), indent);
        } else if is_heading(content) || is_break(content) {
            self.leave(kept);
            self.paragraph
                .push((or_spaces(lead, base), content.to_owned()));
            self.flush();
        } else if content.starts_with('>') {
            if !self.in_quote || kept < self.items.len() {
                self.leave(kept);
            }
            self.quote(&or_spaces(lead, base), content);
        } else if let Some(marker) = Marker::read(content)
            && (lazy || !in_paragraph || marker.interrupts)
        {
            self.leave(kept);
            self.open_item(&or_spaces(lead, base), base, &marker);
        } else if in_paragraph {
            self.continue_paragraph(content);
            // In a table it is a row, and ends nothing.
            let in_table = self.paragraph.iter().any(|(_, text)| is_table_rule(text));
            if is_underline(content) && !in_table {
                self.flush();
            }
        } else {
            self.leave(kept);
            self.paragraph
                .push((or_spaces(lead, base), content.to_owned()));
        }
    }

    /// A quote's line. Its content is text only: one level, no blocks.
    fn quote(&mut self, lead: &str, content: &str) {
        let text = content
            .trim_start_matches(['>', ' '])
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        if text.is_empty() {
            self.flush();
            self.out.push(format!("{lead}>"));
        } else {
            self.paragraph
                .push((format!("{lead}> "), escape_start(&text)));
            self.in_quote = true;
        }
    }

    fn open_item(&mut self, lead: &str, indent: usize, marker: &Marker<'_>) {
        let column = indent + marker.text.len() + marker.gap;
        let lead = format!("{lead}{}{}", marker.text, " ".repeat(marker.gap));
        self.items.push(column);
        if marker.rest.is_empty() {
            self.out.push(lead.trim_end().to_owned());
            self.empty_item = true;
        } else {
            self.start(lead, column, marker.rest);
        }
    }

    /// Ends the open paragraph and the list items beyond the first `kept`.
    fn leave(&mut self, kept: usize) {
        self.flush();
        self.items.truncate(kept);
        self.empty_item = false;
    }

    fn continue_paragraph(&mut self, content: &str) {
        let column = self.items.last().copied().unwrap_or(0);
        self.paragraph
            .push((" ".repeat(column), content.to_owned()));
    }

    /// Code spans and links may cross lines: a paragraph is escaped as a whole.
    fn flush(&mut self) {
        let lines = std::mem::take(&mut self.paragraph);
        self.in_quote = false;
        let Some((lead, _)) = lines.first() else {
            return;
        };
        let is_table = lines.iter().any(|(_, text)| is_table_rule(text));
        if is_table && lines.iter().any(|(_, text)| text.contains("\\|")) {
            // Where such a row is cut is not the same for everyone: it is shown
            // as it was written.
            self.code = Some(Code {
                lead: lead.clone(),
                column: lead.len(),
                fence: None,
                strip: 0,
                lines: lines.into_iter().map(|(_, text)| text).collect(),
            });
            self.close_code();
            return;
        }
        let texts: Vec<&str> = lines.iter().map(|(_, text)| text.as_str()).collect();
        let safe = if is_table {
            let rows = texts.iter().map(|text| table_row(text));
            rows.collect::<Vec<_>>().join("\n")
        } else {
            inline::sanitise(&texts.join("\n"))
        };
        for ((prefix, _), text) in lines.iter().zip(safe.split('\n')) {
            self.out
                .push(format!("{prefix}{text}").trim_end().to_owned());
        }
    }

    fn open_code(
        &mut self,
        lead: String,
        column: usize,
        fence: Option<(char, usize)>,
        strip: usize,
    ) {
        self.code = Some(Code {
            lead,
            column,
            fence,
            strip,
            lines: Vec::new(),
        });
    }

    /// Whether the line belonged to the open code block; one that did not has
    /// closed it.
    fn code_line(&mut self, line: &str) -> bool {
        let Some(code) = &mut self.code else {
            return false;
        };
        if line.trim().is_empty() {
            code.lines.push(String::new());
            return true;
        }
        let indent = indentation(line);
        let content = line.trim_start_matches(' ');
        let (belongs, ends) = match code.fence {
            None => (indent >= code.strip, false),
            Some(fence) => (
                indent >= code.column,
                indent < code.column + 4 && closes(content, fence),
            ),
        };
        if belongs && !ends {
            let strip = code.strip.min(indent);
            code.lines.push(line[strip..].to_owned());
            return true;
        }
        self.close_code();
        belongs
    }

    fn close_code(&mut self) {
        let Some(mut code) = self.code.take() else {
            return;
        };
        let mut blank = 0;
        if code.fence.is_none() {
            while code.lines.last().is_some_and(String::is_empty) {
                code.lines.pop();
                blank += 1;
            }
        }
        let longest = code
            .lines
            .iter()
            .filter(|line| line.trim_start().starts_with("```"))
            .map(|line| run(line.trim_start(), '`'))
            .max()
            .unwrap_or(0);
        let fence = "`".repeat((longest + 1).max(3));
        let indent = " ".repeat(code.column);
        self.out.push(format!("{}{fence}text", code.lead));
        for line in code.lines {
            self.out
                .push(format!("{indent}{line}").trim_end().to_owned());
        }
        self.out.push(format!("{indent}{fence}"));
        self.out.extend(std::iter::repeat_n(String::new(), blank));
    }
}

/// A list item's marker and what follows on its line.
struct Marker<'a> {
    text: &'a str,
    /// Blanks between the marker and the content. Five or more would be one
    /// blank and indented code: it is written as one.
    gap: usize,
    rest: &'a str,
    /// Whether it may end a paragraph without a blank line.
    interrupts: bool,
}

impl<'a> Marker<'a> {
    fn read(content: &'a str) -> Option<Self> {
        let digits = content.bytes().take_while(u8::is_ascii_digit).count();
        let width = match content.as_bytes().get(digits)? {
            b'-' | b'*' | b'+' if digits == 0 => 1,
            b'.' | b')' if (1..=9).contains(&digits) => digits + 1,
            _ => return None,
        };
        let (text, rest) = content.split_at(width);
        if !rest.is_empty() && !rest.starts_with(' ') {
            return None;
        }
        let gap = indentation(rest);
        let rest = rest.trim_start_matches(' ');
        Some(Self {
            text,
            gap: if (1..5).contains(&gap) { gap } else { 1 },
            rest,
            interrupts: !rest.is_empty() && (digits == 0 || &text[..digits] == "1"),
        })
    }
}

fn or_spaces(lead: String, column: usize) -> String {
    if lead.is_empty() {
        " ".repeat(column)
    } else {
        lead
    }
}

fn run(text: &str, character: char) -> usize {
    text.chars().take_while(|next| *next == character).count()
}

fn opening_fence(content: &str) -> Option<(char, usize)> {
    let character = content.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let length = run(content, character);
    // A backtick in the info string makes it a code span (section 4.5).
    (length >= 3 && !(character == '`' && content[length..].contains('`')))
        .then_some((character, length))
}

fn closes(content: &str, (character, length): (char, usize)) -> bool {
    let found = run(content, character);
    found >= length && content[found..].trim().is_empty()
}

fn is_heading(content: &str) -> bool {
    let level = run(content, '#');
    (1..=6).contains(&level) && (content.len() == level || content[level..].starts_with(' '))
}

fn is_break(content: &str) -> bool {
    ['-', '*', '_'].into_iter().any(|mark| {
        content.chars().all(|next| next == mark || next == ' ')
            && content.chars().filter(|next| *next == mark).count() >= 3
    })
}

/// The line under a heading.
fn is_underline(content: &str) -> bool {
    ['=', '-']
        .into_iter()
        .any(|mark| content.chars().all(|next| next == mark))
}

/// The line between a table's head and body.
fn is_table_rule(content: &str) -> bool {
    content.chars().all(|next| "|:- ".contains(next))
        && content.contains('-')
        && content.contains(['|', ':'])
}

/// A row whose cells are texts of their own: a pipe ends a code span too.
fn table_row(row: &str) -> String {
    if is_table_rule(row) || is_underline(row) {
        return row.to_owned();
    }
    // A table is no paragraph: a line in it may open a block that could not end
    // one.
    let row = escape_start(row);
    let cells: Vec<String> = row.split('|').map(inline::sanitise).collect();
    cells.join("|")
}

/// A paragraph's line that must not open a block where it stands now.
fn escape_start(content: &str) -> String {
    let digits = content.len()
        - content
            .trim_start_matches(|c: char| c.is_ascii_digit())
            .len();
    let opens = content.starts_with('>')
        || opening_fence(content).is_some()
        || is_heading(content)
        || is_break(content)
        || is_underline(content)
        || is_table_rule(content)
        || Marker::read(content).is_some();
    if opens {
        // Before the bullet, or before the dot behind a number.
        format!("{}\\{}", &content[..digits], &content[digits..])
    } else {
        content.to_owned()
    }
}
