//! Many connections at once against the memory of a whole server: each way that there is
//! by itself, and then all of them together. What the server holds stays below the figure
//! in `ARCHITECTURE.md`, and a client on another connection is served meanwhile.

mod ways;

use std::path::Path;
use std::thread;

use grpc_tests::certificates::{Authority, Files};

use crate::attacker::Attacker;
use crate::target::{MIB, Target};
use ways::Held;

const KIB: u64 = 1 << 10;
const MEMORY_LIMIT: u64 = 32 * MIB;
/// The victim's among them.
const CONNECTIONS: usize = 40;
const STREAMS: u32 = 32;
const CONNECTION_WINDOW: u64 = 256 * KIB;
const LARGEST: usize = 4 << 20;
/// Of an answer that nobody reads.
const ANSWER: u64 = 16 * KIB;
/// A server of this many is full but for the victim.
const ALL: usize = CONNECTIONS - 1;

fn flags(streams: u32) -> Vec<String> {
    vec![
        format!("--memory_limit={MEMORY_LIMIT}"),
        format!("--connections={CONNECTIONS}"),
        format!("--max_concurrent_streams={streams}"),
        format!("--connection_window={CONNECTION_WINDOW}"),
    ]
}

fn target() -> Target {
    Target::start_with(&flags(STREAMS))
}

/// What a server holds at most, whatever its clients do; and what the allocator needs for
/// it.
fn figure() -> u64 {
    let streams = u64::from(STREAMS);
    let connection = 2 * 64 * KIB + 17 * KIB * streams + CONNECTION_WINDOW;
    (MEMORY_LIMIT + LARGEST as u64 + CONNECTIONS as u64 * connection) * 5 / 4
}

/// The same of what calls hold: a quarter of the limit, for each connection 64 KiB, and
/// 4 KiB for each of these calls.
fn figure_of_calls(streams: u32) -> u64 {
    let connection = 64 * KIB + 4 * KIB * u64::from(streams);
    (MEMORY_LIMIT / 4 + CONNECTIONS as u64 * connection) * 5 / 4
}

/// An attack takes at least so much, or it was none, and no more than this.
fn holds_within(target: Target, attack: fn(&str, usize) -> Held, at_least: u64, most: u64) {
    let attackers = attack(&target.address, ALL);
    target.has_taken(at_least);
    target.stands_within(most);
    drop(attackers);
}

fn holds(attack: fn(&str, usize) -> Held, at_least: u64) {
    holds_within(target(), attack, at_least, figure());
}

#[test]
fn messages_that_are_never_finished_on_many_connections_stay_within_the_limit() {
    holds(ways::halfway, MEMORY_LIMIT / 2);
}

#[test]
fn messages_that_are_never_read_on_many_connections_stay_within_the_limit() {
    holds(ways::unread, MEMORY_LIMIT / 4);
}

#[test]
fn messages_of_small_pieces_that_are_never_read_stay_within_the_limit() {
    let attack = |address: &str, _| ways::bytewise(address, 4);
    holds(attack, 4 * MIB);
}

#[test]
fn small_pieces_do_not_keep_what_they_came_with() {
    let attack = |address: &str, _| ways::interleaved(address, 8);
    holds(attack, 2 * MIB);
}

#[test]
fn heads_of_many_calls_stay_within_the_limit() {
    let target = Target::start_with(&flags(256));
    holds_within(target, ways::heads, 8 * MIB, figure_of_calls(256));
}

#[test]
fn answers_that_nobody_reads_stay_within_the_limit() {
    for attack in [
        ways::answers,
        ways::large_answers,
        ways::small_answers,
        ways::large_streams,
        ways::trailers,
    ] {
        // 8 KiB of each are not counted, and the other 4 are the call's own. A buffer that
        // grows has room for twice as much.
        let most = 2 * figure_of_calls(3 * STREAMS);
        holds_within(target(), attack, 8 * MIB, most);
    }
}

#[test]
fn answers_that_are_under_no_window_are_bounded_for_each_connection() {
    let attack = |address: &str, _| ways::unheard(address, 8);
    // The server reads no more at 512 KiB, beside what it has read by then.
    holds_within(target(), attack, 8 * 256 * KIB, 8 * MIB * 5 / 4);
}

#[test]
fn answers_of_one_turn_stay_within_the_limit() {
    let target = Target::start_with(&flags(256));
    // The output of each connection beside it.
    let most = figure_of_calls(256) + CONNECTIONS as u64 * 768 * KIB;
    holds_within(target, ways::at_once, 8 * MIB, most);
}

#[test]
fn answers_of_which_the_end_is_not_read_stay_within_the_limit() {
    let target = target();
    let attackers = ways::tails(&target.address, ALL);
    target.has_taken(8 * MIB);
    // Handlers have more until the connections have taken their answers.
    target.comes_to(figure_of_calls(3 * STREAMS));
    drop(attackers);
}

#[test]
fn whole_requests_do_not_keep_what_they_came_with() {
    let attack = |address: &str, _| ways::whole_requests(address, 8);
    let target = Target::start_with(&flags(256));
    // 512 KiB a connection may be kept, and each has what it reads into.
    holds_within(target, attack, MIB, 8 * 4 * MIB);
}

#[test]
fn heads_that_are_never_finished_are_bounded_for_each_connection() {
    holds_within(target(), ways::continued, 0, ALL as u64 * 256 * KIB);
}

#[test]
fn large_heads_that_are_reset_at_once_leave_nothing_behind() {
    holds_within(target(), ways::resets, 0, 32 * MIB);
}

#[test]
fn requests_that_wait_for_a_place_stay_within_the_limit() {
    let mut flags = flags(STREAMS);
    flags.extend(["--queued_calls=2000", "--delay_ms=60000"].map(str::to_owned));
    holds_within(Target::start_with(&flags), ways::in_line, 8 * MIB, figure());
}

#[test]
fn connections_that_come_to_nothing_take_next_to_nothing() {
    let mut flags = flags(STREAMS);
    flags.push("--proxy_protocol".to_owned());
    let most = CONNECTIONS as u64 * 64 * KIB;
    holds_within(Target::start_with(&flags), ways::beginnings, 0, most);
}

#[test]
fn the_limit_holds_over_tls() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("attacks");
    let authority = Authority::new().unwrap();
    let files = Files::write(&folder, &authority, &["127.0.0.1"]).unwrap();
    let mut flags = flags(STREAMS);
    flags.push("--use_tls=true".to_owned());
    flags.push(format!("--tls_cert_file={}", files.chain.display()));
    flags.push(format!("--tls_key_file={}", files.key.display()));
    let roots = authority.roots();
    let target = Target::start_over_tls(&flags, roots.as_bytes());
    let begun = ways::beginnings(&target.address, ALL / 2);
    let unread = ways::encrypted(&target.address, ALL / 2, roots.as_bytes());
    target.has_taken(8 * MIB);
    // 64 KiB a connection are TLS' own.
    target.stands_within(figure() + CONNECTIONS as u64 * 64 * KIB);
    drop((begun, unread));
}

#[test]
fn connections_and_calls_without_content_take_next_to_nothing() {
    for attack in [ways::idle, ways::calls] {
        let target = target();
        let attackers = attack(&target.address, ALL);
        // There is no place for these.
        for _ in 0..300 {
            drop(Attacker::connect(&target.address, &[]));
        }
        target.is_at_rest();
        // 4 KiB a call and 64 KiB a connection.
        let figure = CONNECTIONS as u64 * (64 * KIB + u64::from(STREAMS) * 4 * KIB);
        target.stands_within(figure);
        drop(attackers);
    }
}

#[test]
fn questions_on_many_connections_are_not_answered_without_end() {
    let target = target();
    let attackers = ways::questions(&target.address, ALL);
    target.is_at_rest();
    target.stands_within(CONNECTIONS as u64 * 256 * KIB);
    drop(attackers);
}

#[test]
fn bombs_on_many_connections_are_defused_one_by_one() {
    let target = target();
    let attackers = ways::bombs(&target.address, 16);
    // Each thread that decompresses holds the largest message, twice while it grows.
    let threads = thread::available_parallelism().unwrap().get() as u64;
    target.stands_within(figure().min(MIB * 8 + threads * 3 * LARGEST as u64));
    drop(attackers);
}

#[test]
fn all_of_it_at_once_stays_within_the_limit() {
    let mut flags = flags(STREAMS);
    flags.push("--proxy_protocol".to_owned());
    let target = Target::start_with(&flags);
    let address = &target.address;
    let attacks = [
        ways::idle,
        ways::calls,
        ways::heads,
        ways::answers,
        ways::large_answers,
        ways::small_answers,
        ways::large_streams,
        ways::trailers,
        ways::unheard,
        ways::at_once,
        ways::tails,
        ways::continued,
        ways::resets,
        ways::beginnings,
        ways::questions,
        ways::bombs,
        ways::unread,
        ways::halfway,
    ];
    let mut attackers = Held::new();
    for attack in attacks {
        attackers.extend(attack(address, ALL / attacks.len()));
    }
    target.has_taken(MEMORY_LIMIT / 2);
    target.stands_within(figure());
    drop(attackers);
}
