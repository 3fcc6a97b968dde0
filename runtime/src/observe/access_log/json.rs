//! A line for programs: an object of JSON.

use std::fmt::Write;
use std::time::SystemTime;

use super::entry::{LogEntry, PATH};
use super::{quoted, timestamp};
use crate::clock;
use crate::observe::excerpt::TEXT;
use crate::transport::PeerAddress;

/// Most lines fit into this many bytes.
const USUAL: usize = 384;

pub(super) fn line(entry: &LogEntry<'_>, time: SystemTime) -> String {
    let mut line = String::with_capacity(USUAL);
    line.push_str("{\"time\":\"");
    timestamp::push(&mut line, time);
    // Writing to a `String` does not fail, here and below.
    let _ = write!(line, "\",\"side\":\"{}\"", entry.side);
    if let Some(peer) = entry.peer {
        if let PeerAddress::Other(name) = peer {
            push(&mut line, "peer", name, PATH);
        } else {
            let _ = write!(line, ",\"peer\":\"{peer}\"");
        }
    }
    if let Some(target) = entry.target {
        push(&mut line, "target", target, PATH);
    }
    push(&mut line, "method", entry.path, PATH);
    let _ = write!(line, ",\"code\":\"{}\"", entry.code.name());
    if let Some(passed) = &entry.passed {
        let _ = write!(
            line,
            ",\"elapsed_ms\":{}.{:03},\"received_messages\":{},\"received_bytes\":{},\
             \"sent_messages\":{},\"sent_bytes\":{}",
            passed.elapsed.as_millis(),
            passed.elapsed.subsec_micros() % 1_000,
            passed.received.messages,
            passed.received.bytes,
            passed.sent.messages,
            passed.sent.bytes,
        );
        if let Some(attempts) = passed.attempts {
            let _ = write!(line, ",\"attempts\":{attempts}");
        }
    } else {
        line.push_str(",\"refused\":true");
    }
    if let Some(error) = entry.error {
        push(&mut line, "error", error, TEXT);
    }
    line.push_str("}\n");
    line
}

/// The line that reports the number of lost lines.
pub(super) fn lost(lines: u64) -> String {
    let mut line = "{\"time\":\"".to_owned();
    timestamp::push(&mut line, clock::wall());
    let _ = writeln!(line, "\",\"lost\":{lines}}}");
    line
}

fn push(line: &mut String, key: &str, text: &str, most: usize) {
    let _ = write!(line, ",\"{key}\":");
    quoted::push(line, text, most, escape);
}

fn escape(line: &mut String, c: char) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        let _ = write!(line, "\\u{unit:04x}");
    }
}
