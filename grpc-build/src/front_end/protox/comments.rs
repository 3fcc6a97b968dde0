//! Comments as protoc attaches them, worked out from the text. protox finds the
//! same declarations, but drops blank lines of block comments and has rules of its
//! own for comments that stand between two items on one line. This file knows
//! tokens only: it is given text that protox has accepted.

/// Whatever is commented, from its first token to a `;` or a `{`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Declaration {
    /// The line and the byte in it of the first token, from 0.
    pub(super) start: (usize, usize),
    pub(super) leading: String,
    pub(super) trailing: String,
    pub(super) detached: Vec<String>,
}

/// All declarations of the text, in their order.
pub(super) fn declarations(text: &str) -> Vec<Declaration> {
    let mut tokens = Tokens {
        text,
        at: 0,
        line: 0,
        line_start: 0,
    };
    let mut found = Vec::new();
    // The comments before the next declaration.
    let mut upcoming = tokens.comments_between(true);
    let mut start = None;
    // Brackets of field options and of values of options that are open.
    let mut inside = 0_usize;
    let mut previous = b' ';
    while let Some((place, token)) = tokens.next() {
        let start_here = *start.get_or_insert(place);
        match token {
            b'[' => inside += 1,
            b'{' if inside > 0 || previous == b'=' => inside += 1,
            b']' | b'}' if inside > 0 => inside -= 1,
            b';' | b'{' | b'}' if inside == 0 => {
                let Between {
                    trailing,
                    detached,
                    leading,
                } = tokens.comments_between(false);
                let is_empty = token == b';' && start_here == place;
                if is_empty {
                    // Comments that belong to no declaration are added to the next one.
                    upcoming.detached.extend(detached);
                } else {
                    let before = std::mem::replace(&mut upcoming.detached, detached);
                    if token != b'}' {
                        found.push(Declaration {
                            start: start_here,
                            leading: std::mem::take(&mut upcoming.leading),
                            trailing,
                            detached: before,
                        });
                    }
                }
                upcoming.leading = leading;
                start = None;
            }
            _ => {}
        }
        previous = token;
    }
    found
}

/// The comments between two tokens.
#[derive(Debug, Default)]
struct Between {
    trailing: String,
    detached: Vec<String>,
    leading: String,
}

/// Gathers the comments between two tokens, as protoc's `CommentCollector`.
#[derive(Debug)]
struct Collector {
    found: Between,
    /// The comment that is being read, and whether it is of `//`.
    open: Option<(String, bool)>,
    /// How many comments are complete.
    complete: usize,
    has_trailing: bool,
    can_trail: bool,
}

impl Collector {
    fn line(&mut self, text: &str) {
        if let Some((open, true)) = &mut self.open {
            open.push_str(text);
        } else {
            self.flush();
            self.open = Some((text.to_owned(), true));
        }
    }

    fn block(&mut self, text: String) {
        self.flush();
        self.open = Some((text, false));
    }

    /// The open comment does not belong to the token after it.
    fn flush(&mut self) {
        let Some((text, _)) = self.open.take() else {
            return;
        };
        self.complete += 1;
        if self.can_trail {
            self.found.trailing.push_str(&text);
            self.has_trailing = true;
            self.can_trail = false;
        } else {
            self.found.detached.push(text);
        }
    }

    /// One comment alone, between two tokens of one line, may be of either.
    fn detach_one(&mut self) {
        if self.complete + usize::from(self.open.is_some()) != 1 {
            return;
        }
        if self.has_trailing {
            let trailing = std::mem::take(&mut self.found.trailing);
            self.found.detached.insert(0, trailing);
        }
        self.flush();
    }

    fn finish(mut self) -> Between {
        self.found.leading = self.open.take().map_or_else(String::new, |(text, _)| text);
        self.found
    }
}

#[derive(Debug)]
struct Tokens<'t> {
    text: &'t str,
    at: usize,
    line: usize,
    line_start: usize,
}

impl<'t> Tokens<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Goes `length` bytes on, which end at a character's end.
    fn skip(&mut self, length: usize) -> &'t str {
        let start = self.at;
        self.at += length;
        let skipped = &self.text[start..self.at];
        if let Some(last) = skipped.rfind('\n') {
            self.line += skipped.matches('\n').count();
            self.line_start = start + last + 1;
        }
        skipped
    }

    fn skip_blanks(&mut self) {
        let rest = self.rest();
        let blanks = rest.len() - rest.trim_start_matches(is_blank).len();
        self.skip(blanks);
    }

    fn take_newline(&mut self) -> bool {
        let found = self.peek() == Some(b'\n');
        if found {
            self.skip(1);
        }
        found
    }

    /// The text of a `//` comment and the end of its line, if one begins here.
    fn line_comment(&mut self) -> Option<&'t str> {
        let content = self.rest().strip_prefix("//")?;
        let length = content.find('\n').map_or(content.len(), |end| end + 1);
        Some(&self.skip(2 + length)[2..])
    }

    /// The text of a `/*` comment, without what lines begin with up to a `*`, if
    /// one begins here.
    fn block_comment(&mut self) -> Option<String> {
        let content = self.rest().strip_prefix("/*")?;
        let mut text = String::new();
        let mut rest = content;
        loop {
            let end = rest.find("*/");
            match rest.find('\n') {
                Some(newline) if end.is_none_or(|end| newline < end) => {
                    text.push_str(&rest[..=newline]);
                    rest = rest[newline + 1..].trim_start_matches(is_blank);
                    if let Some(starred) = rest.strip_prefix('*') {
                        rest = starred;
                        if let Some(after) = rest.strip_prefix('/') {
                            rest = after;
                            break;
                        }
                    }
                }
                _ => {
                    let end = end.unwrap_or(rest.len());
                    text.push_str(&rest[..end]);
                    rest = rest.get(end + 2..).unwrap_or_default();
                    break;
                }
            }
        }
        self.skip(2 + content.len() - rest.len());
        Some(text)
    }

    /// Reads the comments up to the next token, as protoc's `NextWithComments`.
    fn comments_between(&mut self, at_start: bool) -> Between {
        let mut collector = Collector {
            found: Between::default(),
            open: None,
            complete: 0,
            has_trailing: false,
            can_trail: !at_start,
        };
        let previous_line = (!at_start).then_some(self.line);
        let mut trailing_end = None;
        if !at_start {
            self.skip_blanks();
            if let Some(text) = self.line_comment() {
                trailing_end = Some(self.line - usize::from(text.ends_with('\n')));
                collector.line(text);
                collector.flush();
            } else if let Some(text) = self.block_comment() {
                trailing_end = Some(self.line);
                collector.block(text);
                collector.flush();
            } else if !self.take_newline() {
                return collector.finish();
            }
        }
        loop {
            self.skip_blanks();
            if let Some(text) = self.line_comment() {
                collector.line(text);
            } else if let Some(text) = self.block_comment() {
                collector.block(text);
                self.skip_blanks();
                self.take_newline();
            } else if self.take_newline() {
                collector.flush();
                collector.can_trail = false;
            } else {
                break;
            }
        }
        match self.peek() {
            None | Some(b'}' | b']' | b')') => collector.flush(),
            Some(_) => {}
        }
        let line = Some(self.line);
        if self.peek().is_some() && (line == previous_line || line == trailing_end) {
            collector.detach_one();
        }
        collector.finish()
    }

    /// The place and the first byte of the next token; comments before it belong
    /// to nothing.
    fn next(&mut self) -> Option<((usize, usize), u8)> {
        loop {
            self.skip_blanks();
            let skipped = self.take_newline()
                || self.line_comment().is_some()
                || self.block_comment().is_some();
            if !skipped {
                break;
            }
        }
        let first = self.peek()?;
        let place = (self.line, self.at - self.line_start);
        let length = match first {
            b'"' | b'\'' => string_length(self.rest().as_bytes(), first),
            _ if is_word(first) => {
                let rest = self.rest().bytes();
                rest.take_while(|next| is_word(*next)).count()
            }
            _ => self.rest().chars().next().map_or(1, char::len_utf8),
        };
        self.skip(length);
        Some((place, first))
    }
}

/// The string that `text` begins with, up to its other quote.
fn string_length(text: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while let Some(next) = text.get(at) {
        at += match next {
            b'\\' => 2,
            next if *next == quote => return at + 1,
            _ => 1,
        };
    }
    text.len()
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// White space but the end of a line.
fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\r' | '\u{b}' | '\u{c}')
}
