//! Headers as balancers send them, byte by byte, and what only looks like one.

use std::net::SocketAddr;

use super::*;
use proptest::prelude::*;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Reads as the shell does: at most what is needed, in pieces of at most `piece` bytes.
/// What the header says, and how many bytes were taken.
fn feed(stream: &[u8], piece: usize) -> Result<(Option<SocketAddr>, usize), HeaderFault> {
    let mut taken = 0;
    loop {
        match read(&stream[..taken])? {
            HeaderProgress::Names(address) => return Ok((address, taken)),
            HeaderProgress::Needs(more) => {
                assert!(more > 0);
                // A stream that ends says so to the shell.
                let left = stream.len() - taken;
                if left == 0 {
                    return Ok((None, usize::MAX));
                }
                taken += more.min(piece).min(left);
            }
        }
    }
}

fn version_2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [
        super::version_2::SIGNATURE,
        &[command, family],
        &length,
        rest,
    ]
    .concat()
}

fn names(header: &[u8]) -> Option<String> {
    let stream = [header, PREFACE].concat();
    let mut read = Vec::new();
    for piece in [1, 2, 7, 16, usize::MAX] {
        let (address, taken) = feed(&stream, piece).unwrap();
        assert_eq!(taken, header.len(), "in pieces of {piece}");
        read.push(address);
    }
    assert!(read.windows(2).all(|pair| pair[0] == pair[1]));
    read[0].map(|address| address.to_string())
}

fn fault(header: &[u8]) -> HeaderFault {
    let stream = [header, PREFACE, PREFACE, &[b' '; 200]].concat();
    let whole = feed(&stream, usize::MAX).unwrap_err();
    assert_eq!(feed(&stream, 1).unwrap_err(), whole);
    whole
}

#[test]
fn lines_of_version_1_name_the_source() {
    for (line, expected) in [
        (
            "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n",
            Some("192.0.2.7:56324"),
        ),
        (
            "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
            Some("255.255.255.255:65535"),
        ),
        (
            "PROXY TCP6 2001:db8::7 2001:db8::1 1 0\r\n",
            Some("[2001:db8::7]:1"),
        ),
        (
            "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff \
             ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
            Some("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"),
        ),
        ("PROXY UNKNOWN\r\n", None),
        ("PROXY UNKNOWN whatever is 0 here\r\n", None),
    ] {
        let expected = expected.map(str::to_owned);
        assert_eq!(names(line.as_bytes()), expected, "{line}");
    }
    let longest = format!("PROXY UNKNOWN {}\r\n", "f".repeat(91));
    assert_eq!(longest.len(), super::version_1::LONGEST);
    assert_eq!(names(longest.as_bytes()), None);
}

#[test]
fn headers_of_version_2_name_the_source() {
    let ipv4 = [192, 0, 2, 7, 198, 51, 100, 1, 0xdc, 0x04, 0x01, 0xbb];
    let source = Some("192.0.2.7:56324".to_owned());
    assert_eq!(names(&version_2(0x21, 0x11, &ipv4)), source);
    // Fields behind the addresses are skipped: here, ALPN and padding.
    let fields = [&ipv4[..], &[1, 0, 2, b'h', b'2', 4, 0, 3, 0, 0, 0]].concat();
    assert_eq!(names(&version_2(0x21, 0x11, &fields)), source);
    let most = [&ipv4[..], &[0; super::version_2::LONGEST - 16 - 12]].concat();
    assert_eq!(names(&version_2(0x21, 0x11, &most)), source);

    let mut ipv6 = [0; 36];
    ipv6[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
    (ipv6[15], ipv6[33]) = (7, 9);
    let source = Some("[2001:db8::7]:9".to_owned());
    assert_eq!(names(&version_2(0x21, 0x21, &ipv6)), source);
}

#[test]
fn who_speaks_for_itself_or_knows_nothing_names_nobody() {
    let ipv4 = [192, 0, 2, 7, 198, 51, 100, 1, 0xdc, 0x04, 0x01, 0xbb];
    // LOCAL, UNSPEC, UDP, a Unix socket.
    for header in [
        version_2(0x20, 0x00, &[]),
        version_2(0x20, 0x11, &ipv4),
        version_2(0x21, 0x00, b"skipped"),
        version_2(0x21, 0x12, &ipv4),
        version_2(0x21, 0x31, &[b'/'; 216]),
    ] {
        assert_eq!(names(&header), None);
    }
}

#[test]
fn what_is_no_header_is_told_at_its_first_wrong_byte() {
    for stream in [PREFACE, b"\x16\x03\x01", b"GET / HTTP/1.1", b"PROXIES\r\n"] {
        assert_eq!(fault(stream), HeaderFault::Absent);
    }
    // Three bytes of the preface are enough.
    assert_eq!(read(b"PR"), Ok(HeaderProgress::Needs(13)));
    assert_eq!(read(b"PRI"), Err(HeaderFault::Absent));
    for line in [
        "PROXY TCP4 192.0.2.7 198.51.100.1 56324\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443 1\r\n",
        "PROXY TCP4  192.0.2.7 198.51.100.1 56324 443\r\n",
        "PROXY TCP4 192.0.2.07 198.51.100.1 56324 443\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 56324 65536\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 +1 443\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 007 443\r\n",
        "PROXY TCP4 2001:db8::7 2001:db8::1 1 2\r\n",
        "PROXY TCP6 192.0.2.7 198.51.100.1 1 2\r\n",
        "PROXY TCP5 192.0.2.7 198.51.100.1 1 2\r\n",
        "PROXY tcp4 192.0.2.7 198.51.100.1 1 2\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 1 2\n",
        "PROXY UNKNOWN\nPROXY UNKNOWN\r\n",
    ] {
        let fault = fault(line.as_bytes());
        assert!(matches!(fault, HeaderFault::Malformed(_)), "{line}");
    }
    let endless = format!("PROXY UNKNOWN {}", "f".repeat(200));
    let told = fault(endless.as_bytes()).to_string();
    assert!(told.contains("within 107 bytes"), "{told}");
    for (header, expected) in [
        (version_2(0x22, 0x11, &[0; 12]), "neither LOCAL nor PROXY"),
        (version_2(0x11, 0x11, &[0; 12]), "neither LOCAL nor PROXY"),
        (version_2(0x21, 0x11, &[0; 11]), "too short"),
        (version_2(0x21, 0x21, &[0; 35]), "too short"),
        (version_2(0x21, 0x11, &[0; 4_081]), "longer than 4 KiB"),
        (version_2(0x21, 0x11, &vec![0; 65_535]), "longer than 4 KiB"),
    ] {
        let told = fault(&header).to_string();
        assert!(told.contains(expected), "{told}");
    }
}

fn beginnings() -> impl Strategy<Value = Vec<u8>> {
    let signatures = prop_oneof![
        Just(super::version_1::SIGNATURE.to_vec()),
        Just(b"PROXY TCP4 1.2.3.4 ".to_vec()),
        Just(b"PROXY UNKNOWN".to_vec()),
        Just(super::version_2::SIGNATURE.to_vec()),
        Just([super::version_2::SIGNATURE, &[0x21, 0x11, 0]].concat()),
        Just(Vec::new()),
    ];
    let noise = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..300),
        "[ -~\r\n]{0,150}".prop_map(String::into_bytes),
    ];
    (signatures, noise).prop_map(|(signature, noise)| [signature, noise].concat())
}

proptest! {
    /// Nothing panics, no more is taken than a header may have, and how the bytes were cut
    /// changes nothing.
    #[test]
    fn hostile_beginnings_are_bounded_and_read_the_same_in_all_pieces(
        stream in beginnings(),
        piece in 1_usize..40,
    ) {
        let whole = feed(&stream, usize::MAX);
        if let Ok((_, taken)) = whole
            && taken != usize::MAX
        {
            prop_assert!(taken <= super::version_2::LONGEST);
        }
        prop_assert_eq!(feed(&stream, piece), whole);
    }

    #[test]
    fn each_address_is_read_as_it_was_written(
        source: SocketAddr,
        destination: SocketAddr,
    ) {
        let written = if source.is_ipv4() { "TCP4" } else { "TCP6" };
        prop_assume!(source.is_ipv4() == destination.is_ipv4());
        let line = format!(
            "PROXY {written} {} {} {} {}\r\n",
            source.ip(), destination.ip(), source.port(), destination.port(),
        );
        let expected = SocketAddr::new(source.ip(), source.port());
        prop_assert_eq!(feed(line.as_bytes(), 1).unwrap(), (Some(expected), line.len()));
    }
}
