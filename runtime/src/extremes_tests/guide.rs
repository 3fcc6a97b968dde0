//! The guide's page of options has each option, and the default that it has.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::fs;
use std::path::Path;
use std::time::Duration;

use super::inventory::{ELSEWHERE, arguments, first_word, owner};
use super::options::OPTIONS;
use crate::{
    CallLimit, Channel, DeadlinePolicy, FailurePercentageEjection, HedgingPolicy, LeastRequest,
    ListenOptions, MethodConfig, MethodLimits, OutlierDetection, RetryPolicy, RoundRobin, Server,
    ServerLimits, Service, ServiceConfig, SuccessRateEjection, WeightedRoundRobin,
};

const PAGE: &str = "../examples/guide/options.md";

/// Their functions that take themselves and give themselves back are no options.
const NO_OPTIONS_OF: &[&str] = &[
    "CallConfig",
    "Endpoint",
    "Method",
    "Outcome",
    "Resolution",
    "ServiceBuilder",
    "Status",
    "TestContext",
    "Token",
];

/// What tests alone are told, and what an error tells its caller.
const NO_OPTIONS: &[&str] = &["RetryInfo::new", "TestContext::timeout"];

/// What the page says where nothing is set.
const UNSET: &[&str] = &["off", "none", "no limit", "the channel's", "the server's"];

/// The fields of its owner that an option sets, where they have not its name; of none the
/// default is an argument, or not in the owner.
const FIELDS: &[(&str, &[&str])] = &[
    ("CallLimit::new", &[]),
    (
        "ChannelBuilder::attempt_buffer",
        &["call_buffer", "channel_buffer"],
    ),
    ("ChannelBuilder::background_connections", &["in_background"]),
    ("ChannelBuilder::connect_timeout", &["connect_timeout"]),
    ("ChannelBuilder::idle_timeout", &["max_idle"]),
    ("ChannelBuilder::keepalive_time", &["time"]),
    ("ChannelBuilder::keepalive_timeout", &["timeout"]),
    (
        "ChannelBuilder::keepalive_without_calls",
        &["without_calls"],
    ),
    (
        "ChannelBuilder::max_attempts",
        &["attempts: AttemptLimits { attempts"],
    ),
    ("ChannelBuilder::reconnect_backoff", &["first", "longest"]),
    ("ChannelBuilder::retry_idempotent", &["repeats"]),
    (
        "FailurePercentageEjection::enforcement_percentage",
        &["enforcement"],
    ),
    ("FailurePercentageEjection::minimum_hosts", &["hosts"]),
    ("FailurePercentageEjection::request_volume", &["volume"]),
    ("HedgingPolicy::new", &[]),
    ("LeastRequest::choice_count", &["choices"]),
    ("ListenOptions::proxy_protocol", &["proxy"]),
    ("ListenOptions::reuse_port", &["shares_port"]),
    ("ListenOptions::tcp_keepalive", &["keepalive"]),
    ("ListenOptions::tcp_nodelay", &["has_nodelay"]),
    ("OutlierDetection::base_ejection_time", &["base_time"]),
    ("OutlierDetection::max_ejection_percent", &["max_percent"]),
    (
        "RetryPolicy::backoff",
        &["initial_backoff", "backoff_multiplier", "max_backoff"],
    ),
    ("ServerBuilder::keepalive_time", &["time"]),
    ("ServerBuilder::keepalive_timeout", &["timeout"]),
    ("ServerBuilder::max_connection_age", &["max_age"]),
    ("ServerBuilder::max_connection_age_grace", &["age_grace"]),
    ("ServerBuilder::max_connection_idle", &["max_idle"]),
    ("ServerBuilder::permit_keepalive_time", &["min_interval"]),
    (
        "ServerBuilder::permit_keepalive_without_calls",
        &["min_interval: 300s, without_calls"],
    ),
    (
        "SuccessRateEjection::enforcement_percentage",
        &["enforcement"],
    ),
    ("SuccessRateEjection::minimum_hosts", &["hosts"]),
    ("SuccessRateEjection::request_volume", &["volume"]),
    ("SuccessRateEjection::stdev_factor", &["factor"]),
    ("ServiceConfigBuilder::max_connections_per_subchannel", &[]),
    ("WeightedRoundRobin::blackout_period", &["blackout"]),
    (
        "WeightedRoundRobin::error_utilization_penalty",
        &["penalty"],
    ),
    ("WeightedRoundRobin::oob_reporting_period", &["oob_period"]),
    (
        "WeightedRoundRobin::weight_expiration_period",
        &["expiration"],
    ),
    (
        "WeightedRoundRobin::weight_update_period",
        &["update_period"],
    ),
];

/// What is made without options, as its `Debug` shows it.
fn unset() -> BTreeMap<&'static str, String> {
    let shown = |value: &dyn Debug| format!("{value:?}");
    let channel = Channel::builder("localhost:50051").unwrap();
    let service = Service::builder("shop.Orders", std::sync::Arc::new(())).build();
    BTreeMap::from([
        ("CallLimit", shown(&CallLimit::new(1))),
        ("ChannelBuilder", shown(&channel)),
        ("DeadlinePolicy", shown(&DeadlinePolicy::new())),
        (
            "FailurePercentageEjection",
            shown(&FailurePercentageEjection::new()),
        ),
        ("HedgingPolicy", shown(&HedgingPolicy::new(Duration::ZERO))),
        ("Http2Options", shown(&crate::Http2Options::default())),
        ("LeastRequest", shown(&LeastRequest::new())),
        ("ListenOptions", shown(&ListenOptions::new())),
        ("MethodConfig", shown(&MethodConfig::new())),
        ("MethodLimits", shown(&MethodLimits::new())),
        (
            "OutlierDetection",
            shown(&OutlierDetection::new(RoundRobin::new())),
        ),
        ("RetryPolicy", shown(&RetryPolicy::new([]))),
        ("ServerBuilder", shown(&Server::builder())),
        ("ServerLimits", shown(&ServerLimits::new())),
        ("Service", shown(&service)),
        ("ServiceConfigBuilder", shown(&ServiceConfig::builder())),
        ("SuccessRateEjection", shown(&SuccessRateEjection::new())),
        ("WeightedRoundRobin", shown(&WeightedRoundRobin::new())),
    ])
}

/// The value of a field in a `Debug`, as the page writes it.
fn value(shown: &str, field: &str) -> Option<String> {
    let at = [" ", "{ "].map(|before| format!("{before}{field}: "));
    let (_, rest) = at.iter().find_map(|at| shown.split_once(at.as_str()))?;
    let value = rest.split([',', ' ', '}']).next()?;
    Some(as_written(value))
}

fn as_written(value: &str) -> String {
    if value == usize::MAX.to_string() {
        return "no limit".to_owned();
    }
    if let Ok(number) = value.parse::<u64>() {
        for (unit, shift) in [("GiB", 30), ("MiB", 20), ("KiB", 10)] {
            // The other numbers are no bytes.
            if number >= 16_384 && number.trailing_zeros() >= shift {
                return format!("{} {unit}", number >> shift);
            }
        }
        return match number {
            1_000.. => format!("{},{:03}", number / 1_000, number % 1_000),
            _ => number.to_string(),
        };
    }
    match value {
        "Identity" => "none".to_owned(),
        "0ns" => "0".to_owned(),
        _ => match value.strip_suffix("ms") {
            Some(number) => format!("{number} ms"),
            None => match value.strip_suffix('s') {
                Some(number) => format!("{number} s"),
                None => value.to_owned(),
            },
        },
    }
}

/// Whether the page's default is what is there.
fn is_default(name: &str, owner: &str, said: &str, unset: &BTreeMap<&str, String>) -> bool {
    let Some(shown) = unset.get(owner) else {
        return true;
    };
    let option = name.rsplit("::").next().unwrap_or_default();
    let own = [option];
    let fields = FIELDS.iter().find(|(it, _)| *it == name);
    let fields = fields.map_or(&own[..], |(_, fields)| fields);
    if fields.is_empty() {
        return true;
    }
    let values: Option<Vec<_>> = fields.iter().map(|field| value(shown, field)).collect();
    let Some(values) = values else {
        // Nothing that `Debug` shows: a service that is added, say.
        return FIELDS.iter().all(|(it, _)| *it != name);
    };
    let values = values.join(", ");
    match values.as_str() {
        "None" | "false" | "[]" => UNSET.contains(&said),
        "true" => said == "on",
        _ => values == said || !values.starts_with(|first: char| first.is_ascii_digit()),
    }
}

/// Each row of the page's tables: the option's name, and its default.
fn rows(page: &str) -> Vec<(String, String, String)> {
    let (mut rows, mut owner) = (Vec::new(), "");
    for line in page.lines() {
        if line.starts_with('#') {
            owner = line.split('`').nth(1).unwrap_or_default();
        } else if let Some(row) = line.strip_prefix("| `") {
            let mut cells = row.split('|').map(str::trim);
            let name = cells.next().unwrap_or_default().trim_end_matches('`');
            let default = cells.next().unwrap_or_default();
            let full = format!("{owner}::{name}");
            rows.push((full, owner.to_owned(), default.to_owned()));
        }
    }
    rows
}

/// The functions of a file that take a value and give it back changed.
fn changes(text: &str, found: &mut BTreeSet<String>) {
    let (mut within, mut begins) = ("", 0);
    for line in text.split_inclusive('\n') {
        let rest = text[begins..].trim_start();
        begins += line.len();
        if let Some(owner) = owner(line) {
            within = owner;
        }
        if line.starts_with('}') {
            within = "";
        }
        let Some(function) = rest.strip_prefix("pub fn ") else {
            continue;
        };
        let head = function.split('{').next().unwrap_or_default();
        let open = head.find('(').unwrap_or_default();
        let takes = arguments(&head[open..]).trim_start();
        let takes_itself = ["self", "mut self"].iter().any(|it| {
            let rest = takes.strip_prefix(it);
            rest.is_some_and(|rest| rest.starts_with([',', ')']) || rest.is_empty())
        });
        let gives_itself = ["-> Self", "-> Result<Self"]
            .iter()
            .any(|it| head.contains(it));
        if takes_itself && gives_itself && !NO_OPTIONS_OF.contains(&within) {
            found.insert(format!("{within}::{}", first_word(function)));
        }
    }
}

fn in_folder(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            in_folder(&path, found);
        } else if !path.to_string_lossy().ends_with("tests.rs") {
            changes(&fs::read_to_string(&path).unwrap(), found);
        }
    }
}

#[test]
fn the_page_of_options_has_each_and_its_default() {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(home.join(PAGE)).unwrap();
    let rows = rows(&page);
    let told: BTreeSet<_> = rows.iter().map(|(name, ..)| name.clone()).collect();
    assert_eq!(told.len(), rows.len(), "an option stands in two rows");

    let mut known = BTreeSet::new();
    in_folder(&home.join("src"), &mut known);
    let table = OPTIONS.iter().map(|(name, _)| *name);
    let table = table.chain(ELSEWHERE.iter().copied());
    known.extend(
        table
            .filter(|it| !NO_OPTIONS.contains(it))
            .map(str::to_owned),
    );
    let known: BTreeSet<_> = known
        .iter()
        // What the four kinds of calls have in common.
        .map(|name| name.replace("call_options::", "UnaryCall::"))
        .collect();
    let missing: Vec<_> = known.difference(&told).collect();
    assert!(missing.is_empty(), "{PAGE} has not {missing:#?}");
    let gone: Vec<_> = told.difference(&known).collect();
    assert!(gone.is_empty(), "{PAGE} alone has {gone:#?}");

    let unset = unset();
    let wrong: Vec<_> = rows
        .iter()
        .filter(|(name, owner, said)| !is_default(name, owner, said, &unset))
        .collect();
    assert!(
        wrong.is_empty(),
        "other defaults than in {PAGE}: {wrong:#?}"
    );
}

#[test]
fn values_are_read_as_the_page_writes_them() {
    let shown =
        "B { size: 4194304, kept: K { time: None, timeout: 20s }, burst: 10000, pause: 0ns }";
    let read = ["size", "time", "timeout", "burst", "pause"].map(|it| value(shown, it).unwrap());
    assert_eq!(read, ["4 MiB", "None", "20 s", "10,000", "0"]);
    assert_eq!(as_written(&usize::MAX.to_string()), "no limit");
    let rows = rows("## `A`: x\n\n| option | default | |\n|---|---|---|\n| `b` | 1 s | c |\n");
    assert_eq!(
        rows,
        [("A::b".to_owned(), "A".to_owned(), "1 s".to_owned())]
    );
}
