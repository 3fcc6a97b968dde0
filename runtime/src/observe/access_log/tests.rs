//! Lines of an access log: what they say, whatever was written by others, and what becomes
//! of them where the writer is slow, fails or panics.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proptest::prelude::*;

use super::entry::{LogEntry, Passed};
use super::lines::{BUFFER, Lines};
use super::{json, plain, timestamp};
use crate::observe::ended_call::Traffic;
use crate::status::Code;
use crate::transport::PeerAddress;

fn moment() -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(1_784_116_800_007)
}

fn traffic(messages: u64, bytes: u64) -> Traffic {
    Traffic { messages, bytes }
}

fn peer() -> PeerAddress {
    PeerAddress::Tcp(SocketAddr::from(([10, 1, 2, 3], 50_123)))
}

fn served(peer: &PeerAddress) -> LogEntry<'_> {
    LogEntry {
        side: "server",
        peer: Some(peer),
        target: None,
        path: "/shop.Orders/Get",
        code: Code::NotFound,
        error: Some("no such order"),
        passed: Some(Passed {
            elapsed: Duration::from_micros(1_204),
            received: traffic(1, 12),
            sent: traffic(0, 0),
            attempts: None,
        }),
    }
}

#[test]
fn a_line_says_what_became_of_a_call() {
    let peer = peer();
    let entry = served(&peer);
    assert_eq!(
        plain::line(&entry, moment()),
        "2026-07-15T12:00:00.007Z server peer=10.1.2.3:50123 method=/shop.Orders/Get \
         code=NOT_FOUND elapsed=1.204ms received=1/12 sent=0/0 error=\"no such order\"\n"
    );
    assert_eq!(
        json::line(&entry, moment()),
        "{\"time\":\"2026-07-15T12:00:00.007Z\",\"side\":\"server\",\"peer\":\"10.1.2.3:50123\",\
         \"method\":\"/shop.Orders/Get\",\"code\":\"NOT_FOUND\",\"elapsed_ms\":1.204,\
         \"received_messages\":1,\"received_bytes\":12,\"sent_messages\":0,\"sent_bytes\":0,\
         \"error\":\"no such order\"}\n"
    );
    let refused = LogEntry {
        code: Code::Unimplemented,
        passed: None,
        path: "",
        error: None,
        ..entry
    };
    assert_eq!(
        plain::line(&refused, moment()),
        "2026-07-15T12:00:00.007Z server peer=10.1.2.3:50123 method=\"\" code=UNIMPLEMENTED refused\n"
    );
    let called = LogEntry {
        side: "client",
        peer: None,
        target: Some("dns:///shop.example:443"),
        code: Code::Ok,
        error: None,
        passed: entry.passed.map(|passed| Passed {
            attempts: Some(2),
            ..passed
        }),
        ..entry
    };
    assert_eq!(
        plain::line(&called, moment()),
        "2026-07-15T12:00:00.007Z client target=dns:///shop.example:443 method=/shop.Orders/Get \
         code=OK elapsed=1.204ms received=1/12 sent=0/0 attempts=2\n"
    );
    assert!(json::line(&called, moment()).contains("\"attempts\":2"));
}

#[test]
fn the_time_is_of_one_width() {
    for (millis, expected) in [
        (0, "1970-01-01T00:00:00.000Z"),
        (951_782_400_000, "2000-02-29T00:00:00.000Z"),
        (1_798_761_599_999, "2026-12-31T23:59:59.999Z"),
        (4_107_542_400_010, "2100-03-01T00:00:00.010Z"),
    ] {
        let mut line = String::new();
        timestamp::push(&mut line, UNIX_EPOCH + Duration::from_millis(millis));
        assert_eq!(line, expected);
    }
    let mut line = String::new();
    timestamp::push(&mut line, UNIX_EPOCH - Duration::from_secs(1));
    assert_eq!(line, "1970-01-01T00:00:00.000Z");
}

#[test]
fn what_is_long_is_cut() {
    let peer = peer();
    let (path, text) = ("/é".repeat(300), "é".repeat(2_000));
    let entry = LogEntry {
        path: &path,
        error: Some(&text),
        ..served(&peer)
    };
    for line in [plain::line(&entry, moment()), json::line(&entry, moment())] {
        assert!(line.len() < 2_000, "{}", line.len());
        assert_eq!(line.matches("…\"").count(), 2, "{line}");
    }
}

#[test]
fn what_is_not_printable_is_escaped() {
    let peer = PeerAddress::Other("a\npipe".into());
    let entry = LogEntry {
        path: "/a\r\n2026-07-15T12:00:00.007Z server forged\u{1b}[31m",
        error: Some("it's \"so\" \u{202e}\\\u{7f}"),
        ..served(&peer)
    };
    let line = plain::line(&entry, moment());
    assert!(line.contains(r#"peer="a\npipe""#), "{line}");
    assert!(line.contains(r"forged\u{1b}[31m"), "{line}");
    assert!(
        line.contains(r#"error="it's \"so\" \u{202e}\\\u{7f}""#),
        "{line}"
    );
    let line = json::line(&entry, moment());
    assert!(
        line.contains(r#""error":"it's \"so\" \u202e\\\u007f""#),
        "{line}"
    );
}

/// Text as those write it who mean harm, among any other.
fn text() -> impl Strategy<Value = String> {
    let harm = prop::sample::select(vec![
        "\n",
        "\r\n",
        "\"",
        "\\",
        "\\\"",
        "\0",
        "\u{1b}[2J",
        "\u{2028}",
        "\u{202e}",
        " code=OK",
        "😀",
        "',\"",
    ]);
    let part = prop_oneof![".*", harm.prop_map(str::to_owned)];
    prop::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
}

fn is_one_line(line: &str) -> bool {
    line.find(|c: char| c.is_control()) == Some(line.len() - 1) && line.ends_with('\n')
}

/// What stands outside of quotes.
fn outside(line: &str) -> String {
    let (mut outside, mut is_quoted, mut is_escaped) = (String::new(), false, false);
    for c in line.chars() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            _ if !is_quoted => outside.push(c),
            _ => {}
        }
    }
    assert!(!is_quoted);
    outside
}

proptest! {
    #[test]
    fn a_line_is_one_whatever_others_wrote(path in text(), error in text(), name in text()) {
        let peer = PeerAddress::Other(name.as_str().into());
        let (error, target) = (Some(error.as_str()), Some(name.as_str()));
        let entry = LogEntry { path: &path, error, target, ..served(&peer) };

        let line = json::line(&entry, moment());
        prop_assert!(is_one_line(&line), "{}", line);
        let told: serde_json::Value = serde_json::from_str(&line).unwrap();
        prop_assert_eq!(told["code"].as_str(), Some("NOT_FOUND"));
        let texts = [("method", &*path, 256), ("error", error.unwrap(), 1_024), ("peer", &name, 256)];
        for (key, text, most) in texts {
            let told = told[key].as_str().unwrap();
            if text.len() <= most {
                prop_assert_eq!(told, text);
            } else {
                prop_assert!(text.starts_with(told.strip_suffix('…').unwrap()));
            }
        }

        let line = plain::line(&entry, moment());
        prop_assert!(is_one_line(&line), "{}", line);
        let outside = outside(&line);
        prop_assert_eq!(outside.matches(" code=").count(), 1);
        prop_assert!(outside.ends_with(" error=\n"));
    }
}

// --- writers ---------------------------------------------------------------------------

/// Long enough for anything that is not stuck.
const BOUND: Duration = Duration::from_secs(20);

/// Says what it is about to write, and writes when it may.
struct Gate {
    says: Sender<String>,
    may: Receiver<io::Result<()>>,
}

fn gate() -> (Gate, Receiver<String>, Sender<io::Result<()>>) {
    let ((says, said), (let_it, may)) = (mpsc::channel(), mpsc::channel());
    (Gate { says, may }, said, let_it)
}

impl Write for Gate {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let _ = self.says.send(text);
        // Whoever let it may be gone: then it may for ever.
        self.may.recv().unwrap_or(Ok(())).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn lost(lines: u64) -> String {
    format!("lost {lines}\n")
}

#[test]
fn lines_that_find_no_room_are_dropped_and_told() {
    let (gate, said, let_it) = gate();
    let lines = Lines::new(gate, lost);
    lines.add("first\n");
    assert_eq!(said.recv_timeout(BOUND).unwrap(), "first\n");
    // The writer is stuck. So many find room, and nobody waits.
    let line = format!("{}\n", "x".repeat(1_023));
    let room = BUFFER / line.len();
    for _ in 0..room + 7 {
        lines.add(&line);
    }
    let_it.send(Ok(())).unwrap();
    assert_eq!(said.recv_timeout(BOUND).unwrap(), line.repeat(room));
    lines.add("last\n");
    let_it.send(Ok(())).unwrap();
    assert_eq!(said.recv_timeout(BOUND).unwrap(), "lost 7\n");
    drop(let_it);
    drop(lines);
    assert_eq!(said.iter().collect::<String>(), "last\n");
}

#[test]
fn lines_that_the_writer_fails_to_take_are_told_too() {
    let (gate, said, let_it) = gate();
    let lines = Lines::new(gate, lost);
    lines.add("first\n");
    said.recv_timeout(BOUND).unwrap();
    let_it.send(Err(io::ErrorKind::StorageFull.into())).unwrap();
    lines.add("second\n");
    assert_eq!(said.recv_timeout(BOUND).unwrap(), "second\n");
    let_it.send(Ok(())).unwrap();
    assert_eq!(said.recv_timeout(BOUND).unwrap(), "lost 1\n");
}

#[test]
fn a_writer_that_panics_loses_its_lines_alone() {
    struct Panics(Arc<Mutex<(bool, String)>>);
    impl Write for Panics {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut told = self.0.lock().unwrap();
            if !std::mem::replace(&mut told.0, true) {
                drop(told);
                panic!("this panic is part of a test");
            }
            told.1.push_str(std::str::from_utf8(bytes).unwrap());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let told = Arc::new(Mutex::new((false, String::new())));
    let lines = Lines::new(Panics(Arc::clone(&told)), lost);
    lines.add("first\n");
    while !told.lock().unwrap().0 {
        std::thread::yield_now();
    }
    lines.add("second\n");
    drop(lines);
    assert_eq!(told.lock().unwrap().1, "second\nlost 1\n");
}

#[test]
fn the_last_owner_waits_for_what_is_not_written_but_not_for_ever() {
    let (gate, said, let_it) = gate();
    let lines = Arc::new(Lines::new(gate, lost));
    let other = Arc::clone(&lines);
    lines.add("first\n");
    assert_eq!(said.recv_timeout(BOUND).unwrap(), "first\n");
    drop(lines);
    other.add("second\n");
    // The writer is stuck for ever: this ends nevertheless.
    drop(other);
    drop(let_it);
    assert_eq!(said.iter().collect::<String>(), "second\n");
}

#[test]
fn a_log_without_a_line_writes_nothing() {
    let (gate, said, _let_it) = gate();
    drop(Lines::new(gate, lost));
    assert_eq!(said.iter().count(), 0);
}
