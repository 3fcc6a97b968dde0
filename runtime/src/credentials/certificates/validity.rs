//! From when and until when a certificate is valid (RFC 5280 section 4.1.2.5), read out of its
//! DER.

use std::time::SystemTime;

use prost_types::Timestamp;

const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
/// The version, which the first one did not have.
const VERSION: u8 = 0xa0;

/// The moments of the first and the last second in which it is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) from: SystemTime,
    pub(super) until: SystemTime,
}

impl Validity {
    /// `None` where it is no certificate, or one that cannot be read.
    pub(super) fn of(certificate: &[u8]) -> Option<Self> {
        let (certificate, _) = expect(SEQUENCE, certificate)?;
        let (mut rest, _) = expect(SEQUENCE, certificate)?;
        if let Some((_, behind)) = expect(VERSION, rest) {
            rest = behind;
        }
        // The serial number, the signature's algorithm, the issuer.
        for tag in [INTEGER, SEQUENCE, SEQUENCE] {
            rest = expect(tag, rest)?.1;
        }
        let (validity, _) = expect(SEQUENCE, rest)?;
        let (from, rest) = time(validity)?;
        let (until, _) = time(rest)?;
        Some(Self { from, until })
    }

    pub(super) fn covers(self, now: SystemTime) -> bool {
        (self.from..=self.until).contains(&now)
    }

    /// What is within both.
    pub(super) fn within(self, other: Self) -> Self {
        Self {
            from: self.from.max(other.from),
            until: self.until.min(other.until),
        }
    }
}

/// The tag, the content and what lies behind the first element.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, first], rest) = bytes.split_first_chunk()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let add = |sum: usize, byte: &u8| sum << 8 | usize::from(*byte);
            (length.iter().fold(0, add), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

fn expect(tag: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = element(bytes)?;
    (found == tag).then_some((content, rest))
}

fn time(bytes: &[u8]) -> Option<(SystemTime, &[u8])> {
    let (tag, text, rest) = element(bytes)?;
    let (year, text) = match tag {
        UTC_TIME => {
            let (year, text) = number(text)?;
            // Section 4.1.2.5.1.
            let century = if year >= 50 { 1900 } else { 2000 };
            (century + i64::from(year), text)
        }
        GENERALIZED_TIME => {
            let (century, text) = number(text)?;
            let (year, text) = number(text)?;
            (100 * i64::from(century) + i64::from(year), text)
        }
        _ => return None,
    };
    let mut parts = [0; 5];
    let mut text = text;
    for part in &mut parts {
        (*part, text) = number(text)?;
    }
    let [month, day, hour, minute, second] = parts;
    if text != b"Z" {
        return None;
    }
    let time = Timestamp::date_time(year, month, day, hour, minute, second).ok()?;
    Some((time.try_into().ok()?, rest))
}

/// Two digits, and what is behind them.
fn number(text: &[u8]) -> Option<(u8, &[u8])> {
    let (&[tens, ones], rest) = text.split_first_chunk()?;
    let is_number = tens.is_ascii_digit() && ones.is_ascii_digit();
    is_number.then(|| (10 * (tens - b'0') + (ones - b'0'), rest))
}

#[cfg(test)]
mod tests;
