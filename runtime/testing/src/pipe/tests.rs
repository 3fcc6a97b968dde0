//! Unit tests of `pipe`.

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const AT_ONCE: Delay = Delay {
    latency: Duration::ZERO,
    jitter: Duration::ZERO,
    is_held: false,
};

fn pipe() -> Pipe {
    Pipe::new([Chance::new(1, &[]), Chance::new(2, &[])])
}

fn write(pipe: &mut Pipe, bytes: &[u8], now: Instant, delay: Delay) -> Option<usize> {
    let written = pipe.write(End::Client, bytes, now, delay, Waker::noop());
    written.unwrap()
}

fn read(pipe: &mut Pipe, limit: usize, now: Instant) -> Read {
    pipe.read(End::Server, limit, now, Waker::noop()).unwrap()
}

#[test]
fn more_than_fits_waits_until_some_is_read() {
    let (mut pipe, now) = (pipe(), Instant::now());
    let large = vec![7; CAPACITY + 10];
    assert_eq!(write(&mut pipe, &large, now, AT_ONCE), Some(CAPACITY));
    assert_eq!(write(&mut pipe, &large, now, AT_ONCE), None);
    assert!(pipe.take_writer(End::Client).is_some());
    assert!(matches!(read(&mut pipe, 10, now), Read::Bytes(bytes) if bytes.len() == 10));
    assert_eq!(write(&mut pipe, &large, now, AT_ONCE), Some(10));
}

#[test]
fn bytes_and_then_their_end_arrive_in_order_however_late_each_is() {
    let (mut pipe, now) = (pipe(), Instant::now());
    let late = Delay {
        latency: SECOND,
        ..AT_ONCE
    };
    write(&mut pipe, b"first", now, late);
    write(&mut pipe, b"second", now, AT_ONCE);
    pipe.finish(End::Client, now, AT_ONCE);
    assert!(matches!(read(&mut pipe, 99, now), Read::Wait(until) if until == now + SECOND));
    for expected in [&b"first"[..], b"second"] {
        let read = read(&mut pipe, 99, now + SECOND);
        assert!(
            matches!(&read, Read::Bytes(bytes) if bytes == expected),
            "{read:?}"
        );
    }
    assert!(matches!(read(&mut pipe, 99, now + SECOND), Read::End));
}

#[test]
fn a_connection_that_is_lost_takes_everything_and_gives_nothing() {
    let (mut pipe, now) = (pipe(), Instant::now());
    pipe.lose();
    let large = vec![7; 2 * CAPACITY];
    assert_eq!(write(&mut pipe, &large, now, AT_ONCE), Some(2 * CAPACITY));
    pipe.finish(End::Client, now, AT_ONCE);
    assert!(matches!(read(&mut pipe, 99, now + SECOND), Read::Sleep));
    // A cut is for both ends to see.
    pipe.cut();
    let error = pipe.read(End::Client, 99, now, Waker::noop()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
}

#[test]
fn who_writes_hears_of_the_other_end_when_word_of_it_can_have_come() {
    let (mut pipe, now) = (pipe(), Instant::now());
    let late = Delay {
        latency: SECOND,
        ..AT_ONCE
    };
    assert!(!pipe.leave(End::Server, now, late));
    assert_eq!(write(&mut pipe, b"too late", now, late), Some(8));
    let held = Delay {
        is_held: true,
        ..AT_ONCE
    };
    let then = now + SECOND;
    assert_eq!(write(&mut pipe, b"too late", then, held), Some(8));
    let written = pipe.write(End::Client, b"x", then, AT_ONCE, Waker::noop());
    assert_eq!(written.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    assert!(pipe.leave(End::Client, then, AT_ONCE));
}
