//! Deadlines at their edges, and `grpc-timeout` both ways.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::{Deadline, MalformedTimeout, encode_timeout, parse_timeout};

fn encoded(timeout: Duration) -> String {
    let mut buffer = [0; 9];
    String::from_utf8(encode_timeout(timeout, &mut buffer).to_vec()).unwrap()
}

#[test]
fn the_finest_unit_that_fits_is_taken() {
    for (timeout, text) in [
        (Duration::ZERO, "0n"),
        (Duration::from_nanos(1), "1n"),
        (Duration::from_nanos(99_999_999), "99999999n"),
        (Duration::from_millis(100), "100000u"),
        (Duration::from_secs(1), "1000000u"),
        (Duration::from_micros(99_999_999), "99999999u"),
        (Duration::from_nanos(99_999_999_001), "100000m"),
        (Duration::from_secs(100_000), "100000S"),
        (Duration::from_secs(99_999_999), "99999999S"),
        (Duration::from_secs(100_000_000), "1666667M"),
        (Duration::from_secs(6_000_000_000), "1666667H"),
        (Duration::from_secs(60_000_000_000), "16666667H"),
        (Duration::MAX, "99999999H"),
    ] {
        assert_eq!(encoded(timeout), text);
    }
}

#[test]
fn every_unit_is_read() {
    for (text, timeout) in [
        ("0n", Duration::ZERO),
        ("00000001n", Duration::from_nanos(1)),
        ("2u", Duration::from_micros(2)),
        ("3m", Duration::from_millis(3)),
        ("4S", Duration::from_secs(4)),
        ("5M", Duration::from_secs(300)),
        ("6H", Duration::from_secs(21_600)),
        ("99999999H", Duration::from_secs(99_999_999 * 3_600)),
    ] {
        assert_eq!(parse_timeout(text.as_bytes()), Ok(timeout), "{text}");
    }
}

#[test]
fn malformed_timeouts_are_refused() {
    for text in [
        "",
        "1",
        "S",
        "1s",
        "1h",
        "-1S",
        "1.5S",
        "+1S",
        " 1S",
        "1S ",
        "1 S",
        "123456789S",
        "1SS",
        "١S",
    ] {
        assert_eq!(
            parse_timeout(text.as_bytes()),
            Err(MalformedTimeout),
            "{text:?}"
        );
    }
}

#[test]
fn a_deadline_counts_down_and_stays_at_zero() {
    let now = Instant::now();
    let second = Duration::from_secs(1);
    let deadline = Deadline::after(now, second).unwrap();
    assert_eq!(deadline, Deadline::at(now + second));
    assert_eq!(deadline.remaining(now), second);
    assert!(!deadline.is_past(now));
    assert!(deadline.is_past(now + second));
    assert_eq!(deadline.remaining(now + 2 * second), Duration::ZERO);
}

#[test]
fn a_deadline_beyond_the_clock_is_none() {
    assert_eq!(Deadline::after(Instant::now(), Duration::MAX), None);
}

#[test]
fn no_deadline_is_later_than_any() {
    let now = Instant::now();
    let soon = Some(Deadline::at(now));
    let later = Deadline::after(now, Duration::from_secs(1));
    assert_eq!(Deadline::earliest(soon, later), soon);
    assert_eq!(Deadline::earliest(later, soon), soon);
    assert_eq!(Deadline::earliest(None, later), later);
    assert_eq!(Deadline::earliest(later, None), later);
    assert_eq!(Deadline::earliest(None, None), None);
}

proptest! {
    #[test]
    fn the_server_sees_no_less_and_less_than_a_unit_more(
        secs in prop_oneof![0..10_u64, 0..1_000_000_u64, 0..359_999_996_400_u64],
        nanos in 0..1_000_000_000_u32,
    ) {
        let timeout = Duration::new(secs, nanos);
        let text = encoded(timeout);
        prop_assert!((2..=9).contains(&text.len()));
        let seen = parse_timeout(text.as_bytes()).unwrap();
        let unit = parse_timeout(format!("1{}", &text[text.len() - 1..]).as_bytes()).unwrap();
        prop_assert!(seen >= timeout && seen < timeout + unit, "{text}");
    }

    #[test]
    fn anything_received_is_read_or_refused(value in prop::collection::vec(any::<u8>(), 0..12)) {
        let _ = parse_timeout(&value);
    }
}
