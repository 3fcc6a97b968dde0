//! Version 1 of the header: a line of text (section 2.1). An address is accepted only as the
//! section writes it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::progress::{HeaderFault, HeaderProgress};

pub(super) const SIGNATURE: &[u8] = b"PROXY ";
/// With its end.
pub(super) const LONGEST: usize = 107;
const SHORTEST: usize = b"PROXY UNKNOWN\r\n".len();

/// Of bytes that begin with the signature, or a part of it.
pub(super) fn read(bytes: &[u8]) -> Result<HeaderProgress, HeaderFault> {
    if bytes.len() < SHORTEST {
        return Ok(HeaderProgress::Needs(SHORTEST - bytes.len()));
    }
    if let Some(line) = bytes.strip_suffix(b"\r\n") {
        return parse(line).map(HeaderProgress::Names);
    }
    // Whoever asks for no more than is needed never passes its end.
    let needs = if bytes.ends_with(b"\r") { 1 } else { 2 };
    if bytes.contains(&b'\n') || bytes.len() + needs > LONGEST {
        return Err(HeaderFault::Malformed(
            "version 1: the line does not end with CRLF within 107 bytes",
        ));
    }
    Ok(HeaderProgress::Needs(needs))
}

fn parse(line: &[u8]) -> Result<Option<SocketAddr>, HeaderFault> {
    const MALFORMED: HeaderFault = HeaderFault::Malformed(
        "version 1: expected 'PROXY TCP4 (or TCP6) source destination port port', or 'PROXY \
         UNKNOWN'",
    );
    let line = std::str::from_utf8(line).map_err(|_| MALFORMED)?;
    let mut words = line.split(' ').skip(1);
    let source = match words.next() {
        // The rest of the line is to be ignored.
        Some("UNKNOWN") => return Ok(None),
        Some("TCP4") => address::<Ipv4Addr>(&mut words),
        Some("TCP6") => address::<Ipv6Addr>(&mut words),
        _ => None,
    };
    let ports = (port(words.next()), port(words.next()), words.next());
    let (Some(source), (Some(port), Some(_), None)) = (source, ports) else {
        return Err(MALFORMED);
    };
    Ok(Some(SocketAddr::new(source, port)))
}

/// The source's; the destination has to be one too.
fn address<'a, A>(words: &mut impl Iterator<Item = &'a str>) -> Option<IpAddr>
where
    A: std::str::FromStr + Into<IpAddr>,
{
    let source: A = words.next()?.parse().ok()?;
    let _destination: A = words.next()?.parse().ok()?;
    Some(source.into())
}

/// Without a sign, and without zeros before it.
fn port(word: Option<&str>) -> Option<u16> {
    let word = word?;
    let is_plain = word.bytes().all(|byte| byte.is_ascii_digit());
    let is_plain = is_plain && (word == "0" || !word.starts_with('0'));
    is_plain.then(|| word.parse().ok()).flatten()
}
