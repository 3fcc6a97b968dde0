//! Inside a paragraph: brackets, tags and lone backticks are escaped, bare URLs become
//! autolinks. Code spans, emphasis and links with a full URL stay as they are.

const SCHEMES: &[&str] = &["http://", "https://", "mailto:"];

/// Escapes one paragraph. Lines are neither added nor removed.
pub(super) fn sanitise(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    escape(text, true, &mut out);
    out
}

fn escape(text: &str, links: bool, out: &mut String) {
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let taken = match next {
            '\\' => escaped(rest, out),
            '`' => code_span(rest, out),
            '<' => autolink(rest, links, out),
            '[' => link(rest, links, out),
            ']' => {
                out.push_str("\\]");
                1
            }
            'h' if links => bare_url(rest, out),
            other => {
                out.push(other);
                other.len_utf8()
            }
        };
        rest = &rest[taken..];
    }
}

/// A backslash and what it escapes.
fn escaped(text: &str, out: &mut String) -> usize {
    let length = match text[1..].chars().next() {
        Some(next) if next.is_ascii_punctuation() => 2,
        Some('h') => {
            // It must not escape the bracket that a URL gets.
            out.push_str("\\\\");
            return 1;
        }
        _ => 1,
    };
    out.push_str(&text[..length]);
    length
}

/// A code span, or backticks that open none and are escaped.
fn code_span(text: &str, out: &mut String) -> usize {
    let open = text.len() - text.trim_start_matches('`').len();
    let mut at = open;
    while let Some(found) = text[at..].find('`') {
        let start = at + found;
        let close = text[start..].len() - text[start..].trim_start_matches('`').len();
        at = start + close;
        if close == open {
            // A tag at a line's start would end the paragraph, and the span.
            out.push_str(&text[..at].replace("\n<", "\n\\<"));
            return at;
        }
    }
    out.push_str(&"\\`".repeat(open));
    open
}

/// `<https://…>` as it is, anything else that looks like a tag escaped.
fn autolink(text: &str, links: bool, out: &mut String) -> usize {
    if links
        && let Some(end) = text.find('>')
        && SCHEMES.iter().any(|scheme| {
            text[1..end]
                .strip_prefix(scheme)
                .is_some_and(|r| !r.is_empty())
        })
        && !text[1..end].contains(|c: char| c.is_whitespace() || c == '<')
    {
        out.push_str(&text[..=end]);
        return end + 1;
    }
    out.push_str("\\<");
    1
}

/// `[text](https://…)` as it is, any other bracket escaped: rustdoc would take
/// it for the name of a Rust item.
fn link(text: &str, links: bool, out: &mut String) -> usize {
    if links && let Some((label, target)) = inline_link(text) {
        out.push('[');
        escape(label, false, out);
        out.push_str("](");
        out.push_str(target);
        out.push(')');
        return label.len() + target.len() + 4;
    }
    out.push_str("\\[");
    1
}

fn inline_link(text: &str) -> Option<(&str, &str)> {
    let close = text.find(']')?;
    let label = &text[1..close];
    // An autolink or a code span in the label could hide the bracket.
    if label.is_empty() || label.contains(['[', '`', '<', '\\']) {
        return None;
    }
    let target = text[close + 1..].strip_prefix('(')?;
    let target = &target[..target.find(')')?];
    let known = SCHEMES.iter().any(|scheme| target.starts_with(scheme));
    let plain = !target.contains(|c: char| c.is_whitespace() || "<>[]`\\(".contains(c));
    (known && plain).then_some((label, target))
}

/// `https://…` as an autolink, without the punctuation of the sentence it
/// stands in.
fn bare_url(text: &str, out: &mut String) -> usize {
    let scheme = SCHEMES[..2]
        .iter()
        .find(|scheme| text.starts_with(**scheme));
    let Some(scheme) = scheme else {
        out.push('h');
        return 1;
    };
    let end = text
        .find(|c: char| c.is_whitespace() || "<>\"`|\\[]".contains(c))
        .unwrap_or(text.len());
    let mut url = &text[..end];
    while let Some(last) = url.chars().next_back() {
        let balanced = last == ')' && url.matches(')').count() <= url.matches('(').count();
        if balanced || !".,;:!?'*_)}".contains(last) {
            break;
        }
        url = &url[..url.len() - last.len_utf8()];
    }
    if url.len() <= scheme.len() {
        out.push('h');
        return 1;
    }
    out.push('<');
    out.push_str(url);
    out.push('>');
    url.len()
}
