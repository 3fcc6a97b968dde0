//! A line for people and for `grep`.

use std::fmt::Write;
use std::time::SystemTime;

use super::entry::{LogEntry, PATH};
use super::{quoted, timestamp};
use crate::clock;
use crate::observe::excerpt::TEXT;
use crate::transport::PeerAddress;

/// Most lines fit into this many bytes.
const USUAL: usize = 256;

pub(super) fn line(entry: &LogEntry<'_>, time: SystemTime) -> String {
    let mut line = String::with_capacity(USUAL);
    timestamp::push(&mut line, time);
    line.push(' ');
    line.push_str(entry.side);
    if let Some(peer) = entry.peer {
        line.push_str(" peer=");
        if let PeerAddress::Other(name) = peer {
            push(&mut line, name, PATH);
        } else {
            // Writing to a `String` does not fail, here and below.
            let _ = write!(line, "{peer}");
        }
    }
    if let Some(target) = entry.target {
        line.push_str(" target=");
        push(&mut line, target, PATH);
    }
    line.push_str(" method=");
    push(&mut line, entry.path, PATH);
    line.push_str(" code=");
    line.push_str(entry.code.name());
    if let Some(passed) = &entry.passed {
        let _ = write!(
            line,
            " elapsed={}.{:03}ms received={}/{} sent={}/{}",
            passed.elapsed.as_millis(),
            passed.elapsed.subsec_micros() % 1_000,
            passed.received.messages,
            passed.received.bytes,
            passed.sent.messages,
            passed.sent.bytes,
        );
        if let Some(attempts @ 2..) = passed.attempts {
            let _ = write!(line, " attempts={attempts}");
        }
    } else {
        line.push_str(" refused");
    }
    if let Some(error) = entry.error {
        line.push_str(" error=");
        quoted::push(&mut line, error, TEXT, escape);
    }
    line.push('\n');
    line
}

/// The line that reports the number of lost lines.
pub(super) fn lost(lines: u64) -> String {
    let mut line = String::new();
    timestamp::push(&mut line, clock::wall());
    let _ = writeln!(line, " lost={lines}");
    line
}

fn push(line: &mut String, text: &str, most: usize) {
    if text.len() <= most && is_bare(text) {
        line.push_str(text);
    } else {
        quoted::push(line, text, most, escape);
    }
}

/// Whether the text needs no quotes.
fn is_bare(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'=');
    !text.is_empty() && text.bytes().all(is_plain)
}

fn escape(line: &mut String, c: char) {
    line.extend(c.escape_debug());
}
