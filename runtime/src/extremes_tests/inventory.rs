//! What the source has for options, held against the table: every public field and
//! every argument of a public function that is a number, a time, a switch or an
//! encoding.

use std::collections::BTreeSet;
use std::path::Path;

use super::options::OPTIONS;

/// Tried beside the table.
pub(super) const ELSEWHERE: &[&str] = &[
    "CertificateFiles::reload_every",
    "ListenOptions::backlog",
    "ListenOptions::reuse_port",
    "ListenOptions::tcp_keepalive",
    "ListenOptions::tcp_nodelay",
    "Context::reset_stream",
    "RetryInfo::new",
    "Server::shutdown",
    "Server::shutdown_when",
    "ServerBuilder::serve_until",
    "ServerBuilder::serve_with_until",
    "TestContext::timeout",
    "Token::expires_in",
];

/// What is told, or asked about a value, and changes nothing.
const NO_OPTIONS: &[&str] = &[
    "::CONTRACT",
    "::OLDEST_CONTRACT",
    "::check_contract",
    "::future_quota_value",
    "::quota_value",
    "Code::from_http_status",
    "Code::from_i32",
    "Control::report_load",
    "Control::wake_at",
    "Deadline::after",
    "Deadline::at",
    "Deadline::is_past",
    "Deadline::remaining",
    "FurtherAttempts::delay",
    "FurtherAttempts::hedges",
    "FurtherAttempts::retries",
    "FurtherAttempts::transparent_retries",
    "LoadReport::set_application_utilization",
    "LoadReport::set_cpu_utilization",
    "LoadReport::set_eps",
    "LoadReport::set_memory_utilization",
    "LoadReport::set_named_metric",
    "LoadReport::set_qps",
    "LoadReport::set_request_cost",
    "LoadReport::set_utilization",
    "MethodReport::calls_cut",
    "MethodReport::calls_finished",
    "Response::was_compressed",
    "RetryInfo::retry_delay",
    "ServerBuilder::on_accept",
    "Shape::client_streams",
    "Shape::server_streams",
    "ShutdownReport::calls_cut",
    "ShutdownReport::connections_cut",
    "ShutdownReport::handlers_left",
    "Status::code",
    "Ticket::new",
    "Traffic::bytes",
    "Traffic::messages",
];

const TYPES: &[&str] = &[
    "Duration",
    "Instant",
    "Compression",
    "bool",
    "char",
    "f32",
    "f64",
    "i8",
    "i16",
    "i32",
    "i64",
    "i128",
    "isize",
    "u8",
    "u16",
    "u32",
    "u64",
    "u128",
    "usize",
];

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

pub(super) fn first_word(text: &str) -> &str {
    text.split(|c| !is_word(c)).next().unwrap_or_default()
}

/// Whether `text` has one of the types in it. Bytes are content.
fn has_range(text: &str) -> bool {
    let text = text.replace("[u8]", "").replace("Vec<u8>", "");
    text.split(|c| !is_word(c))
        .any(|word| TYPES.contains(&word))
}

/// The text up to the parenthesis that closes the one it begins with.
pub(super) fn arguments(text: &str) -> &str {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' if depth == 1 => return &text[1..at],
            ')' => depth -= 1,
            _ => {}
        }
    }
    text
}

/// The type of an `impl`, or the name of a `struct` or a macro.
pub(super) fn owner(line: &str) -> Option<&str> {
    if let Some(rest) = line.strip_prefix("impl") {
        let rest = rest.rsplit(" for ").next()?;
        let rest = match rest.strip_prefix('<') {
            Some(generics) => generics.split_once("> ")?.1,
            None => rest.trim_start(),
        };
        return Some(first_word(rest));
    }
    let rest = line
        .strip_prefix("pub struct ")
        .or_else(|| line.strip_prefix("macro_rules! "))?;
    Some(first_word(rest))
}

fn options_of(text: &str, found: &mut BTreeSet<String>) {
    let mut within = "";
    let mut begins = 0;
    for line in text.split_inclusive('\n') {
        let rest = &text[begins..];
        begins += line.len();
        if let Some(owner) = owner(line) {
            within = owner;
        }
        if line.starts_with('}') {
            within = "";
        }
        let rest = rest.trim_start();
        let Some(item) = rest.strip_prefix("pub ") else {
            continue;
        };
        let item = item
            .trim_start_matches("const ")
            .trim_start_matches("async ");
        let (name, types) = if let Some(function) = item.strip_prefix("fn ") {
            let open = function.find('(').unwrap_or_default();
            (first_word(function), arguments(&function[open..]))
        } else {
            let field = item.lines().next().unwrap_or_default();
            let Some((name, of)) = field.split_once(": ") else {
                continue;
            };
            (name, of)
        };
        if has_range(types) {
            found.insert(format!("{within}::{name}"));
        }
    }
}

fn in_folder(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            in_folder(&path, found);
        } else if !path.to_string_lossy().ends_with("tests.rs") {
            options_of(&std::fs::read_to_string(&path).unwrap(), found);
        }
    }
}

#[test]
fn every_public_option_is_tried() {
    let mut found = BTreeSet::new();
    in_folder(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut found,
    );
    let table = OPTIONS.iter().map(|(name, _)| *name);
    let known: BTreeSet<String> = table
        .chain(ELSEWHERE.iter().copied())
        .chain(NO_OPTIONS.iter().copied())
        .map(str::to_owned)
        .collect();
    let unknown: Vec<_> = found.difference(&known).collect();
    assert!(
        unknown.is_empty(),
        "not in the table of extremes_tests/options.rs: {unknown:?}"
    );
    let gone: Vec<_> = known.difference(&found).collect();
    assert!(gone.is_empty(), "in the table alone: {gone:?}");
}

#[test]
fn options_are_found_in_text() {
    let mut found = BTreeSet::new();
    let text = "pub struct Plan {\n    pub wait: Option<Duration>,\n    pub name: String,\n}\n\
                impl<T: Into<U>> Plan<T> {\n    pub fn limit(\n        self,\n        of: usize,\n    \
                ) {\n    }\n    pub fn roots(self, pem: &[u8]) -> bool {\n    }\n    \
                pub(crate) fn own(self, n: u8) {\n    }\n}\n";
    options_of(text, &mut found);
    let found: Vec<_> = found.iter().map(String::as_str).collect();
    assert_eq!(found, ["Plan::limit", "Plan::wait"]);
}
