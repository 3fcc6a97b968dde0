//! The static table (RFC 7541 appendix A) and the search in it.
//!
//! The search uses a hash table that the compiler builds from [`TABLE`].

use super::super::field_rules::Traits;
use super::octets::equal;

#[cfg(test)]
mod tests;

/// One field of the table: its name, then its value, without a gap.
pub(super) struct StaticField {
    pub(super) text: &'static [u8],
    pub(super) name_len: usize,
    pub(super) traits: Traits,
}

/// The number of fields; the dynamic table's indices follow.
pub(super) const LEN: usize = 61;

// The first index of each name whose fields have a value.
const METHOD: usize = 2;
const PATH: usize = 4;
const SCHEME: usize = 6;
const STATUS: usize = 8;
const LAST_STATUS: usize = 14;
const ACCEPT_ENCODING: usize = 16;

macro_rules! fields {
    ($($name:literal $(= $value:literal)?),* $(,)?) => {
        [$(StaticField {
            text: concat!($name $(, $value)?).as_bytes(),
            name_len: $name.len(),
            traits: Traits::of($name.as_bytes(), concat!($($value)?).as_bytes()),
        }),*]
    };
}

static TABLE: [StaticField; LEN] = FIELDS;

const FIELDS: [StaticField; LEN] = fields![
    ":authority",
    ":method" = "GET",
    ":method" = "POST",
    ":path" = "/",
    ":path" = "/index.html",
    ":scheme" = "http",
    ":scheme" = "https",
    ":status" = "200",
    ":status" = "204",
    ":status" = "206",
    ":status" = "304",
    ":status" = "400",
    ":status" = "404",
    ":status" = "500",
    "accept-charset",
    "accept-encoding" = "gzip, deflate",
    "accept-language",
    "accept-ranges",
    "accept",
    "access-control-allow-origin",
    "age",
    "allow",
    "authorization",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-length",
    "content-location",
    "content-range",
    "content-type",
    "cookie",
    "date",
    "etag",
    "expect",
    "expires",
    "from",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "last-modified",
    "link",
    "location",
    "max-forwards",
    "proxy-authenticate",
    "proxy-authorization",
    "range",
    "referer",
    "refresh",
    "retry-after",
    "server",
    "set-cookie",
    "strict-transport-security",
    "transfer-encoding",
    "user-agent",
    "vary",
    "via",
    "www-authenticate",
];

/// The field at `index`, which counts from 1.
#[inline]
pub(super) fn get(index: usize) -> Option<&'static StaticField> {
    TABLE.get(index.wrapping_sub(1))
}

/// Open addressing over the names' hashes; 0 is an empty slot. Of fields with
/// one name only the first is here: the others follow it in [`TABLE`].
static SLOTS: [u8; 256] = slots();

const fn slots() -> [u8; 256] {
    let mut slots = [0; 256];
    let mut at = 0;
    while at < LEN {
        let field = &FIELDS[at];
        let repeats = at > 0 && same_name(field, &FIELDS[at - 1]);
        if !repeats {
            let mut slot = hash(field.text, field.name_len);
            while slots[slot as usize] != 0 {
                slot = slot.wrapping_add(1);
            }
            slots[slot as usize] = at as u8 + 1;
        }
        at += 1;
    }
    slots
}

const fn same_name(a: &StaticField, b: &StaticField) -> bool {
    if a.name_len != b.name_len {
        return false;
    }
    let mut at = 0;
    while at < a.name_len {
        if a.text[at] != b.text[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// A hash of the first `len` octets of `text`, of which there is one at least.
const fn hash(text: &[u8], len: usize) -> u8 {
    let first = text[0] as usize;
    let middle = text[len / 2] as usize;
    let last = text[len - 1] as usize;
    let mixed = first
        .wrapping_mul(31)
        .wrapping_add(middle.wrapping_mul(7))
        .wrapping_add(last.wrapping_mul(59))
        .wrapping_add(len.wrapping_mul(101));
    (mixed ^ (mixed >> 8)) as u8
}

/// The first index whose field has that name.
#[inline]
pub(super) fn find_name(name: &[u8]) -> Option<usize> {
    if name.is_empty() {
        return None;
    }
    let mut slot = hash(name, name.len());
    loop {
        let index = usize::from(SLOTS[usize::from(slot)]);
        let field = get(index)?;
        if equal(&field.text[..field.name_len], name) {
            return Some(index);
        }
        slot = slot.wrapping_add(1);
    }
}

/// The index of the field that has `value` too, where `index` is what
/// [`find_name`] gave. Fields with an empty value are not searched: no header
/// worth a search has one.
#[inline]
pub(super) fn find_value(index: usize, value: &[u8]) -> Option<usize> {
    let last = match index {
        METHOD | PATH | SCHEME => index + 1,
        STATUS => LAST_STATUS,
        ACCEPT_ENCODING => index,
        _ => return None,
    };
    for index in index..=last {
        let field = get(index)?;
        if equal(&field.text[field.name_len..], value) {
            return Some(index);
        }
    }
    None
}
