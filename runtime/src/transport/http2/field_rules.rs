//! Checks whether a header block is malformed (RFC 9113 sections 8.2 and 8.3). Each field is
//! checked once, when its text arrives; HPACK tables keep the result with the field. gRPC's
//! own rules are checked elsewhere.

/// The kind of block that is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BlockKind {
    Request,
    Response,
    Trailers,
}

/// The properties of a field, or of a sequence of fields, that the rules need: a set of the
/// bits below.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Traits(u32);

const METHOD: u32 = 1 << 0;
const SCHEME: u32 = 1 << 1;
const PATH: u32 = 1 << 2;
const AUTHORITY: u32 = 1 << 3;
const STATUS: u32 = 1 << 4;
/// An undefined pseudo-header field.
const STRANGE: u32 = 1 << 5;
const PSEUDO: u32 = METHOD | SCHEME | PATH | AUTHORITY | STATUS | STRANGE;
/// A field that is no pseudo-header field.
const REGULAR: u32 = 1 << 6;
const TE: u32 = 1 << 7;
const CONNECTION: u32 = 1 << 8;
/// The bits that depend on the name only are in `NAME`; the others depend on the value.
const BAD_NAME: u32 = 1 << 9;
const NAME: u32 = PSEUDO | REGULAR | TE | CONNECTION | BAD_NAME | LENGTH;
const BAD_VALUE: u32 = 1 << 10;
const EMPTY_PATH: u32 = 1 << 11;
const BAD_STATUS: u32 = 1 << 12;
const BAD_TE: u32 = 1 << 13;
/// For several fields: a pseudo-header field occurs twice, or after a regular one.
const TWICE: u32 = 1 << 14;
const LATE: u32 = 1 << 15;
const LENGTH: u32 = 1 << 16;
const BAD_LENGTH: u32 = 1 << 17;

/// The violations in any block, in the order in which they are reported.
const ALWAYS_BROKEN: [(u32, &str); 8] = [
    (
        BAD_NAME | BAD_VALUE,
        "a field name or value with bytes that HTTP/2 forbids",
    ),
    (LATE, "a pseudo-header field after a regular one"),
    (TWICE, "a pseudo-header field that stands twice"),
    (CONNECTION, "a connection-specific field"),
    (BAD_TE, "a te field other than trailers"),
    (EMPTY_PATH, "an empty :path"),
    (BAD_STATUS, "a :status that is not three digits"),
    (BAD_LENGTH, "a content-length that is no length"),
];

impl Traits {
    /// The traits of a field that was received.
    pub(super) const fn of(name: &[u8], value: &[u8]) -> Self {
        Self::of_name(name).with_value(value)
    }

    const fn of_name(name: &[u8]) -> Self {
        let known = match name {
            b":method" => METHOD,
            b":scheme" => SCHEME,
            b":path" => PATH,
            b":authority" => AUTHORITY,
            b":status" => STATUS,
            [b':', ..] => STRANGE,
            b"te" => REGULAR | TE,
            b"content-length" => REGULAR | LENGTH,
            b"connection" | b"proxy-connection" | b"keep-alive" | b"transfer-encoding"
            | b"upgrade" => REGULAR | CONNECTION,
            _ => REGULAR,
        };
        Self(if is_name(name) {
            known
        } else {
            known | BAD_NAME
        })
    }

    /// The traits of a field of the same name with another value.
    pub(super) const fn with_value(self, value: &[u8]) -> Self {
        let name = self.0 & NAME;
        let mut traits = name;
        if !is_value(value) {
            traits |= BAD_VALUE;
        }
        if name & (PATH | STATUS | TE | LENGTH) != 0 {
            if name & PATH != 0 && value.is_empty() {
                traits |= EMPTY_PATH;
            }
            if name & STATUS != 0 && !matches!(value, [b'0'..=b'9', b'0'..=b'9', b'0'..=b'9']) {
                traits |= BAD_STATUS;
            }
            if name & TE != 0 && !matches!(value, b"trailers") {
                traits |= BAD_TE;
            }
            if name & LENGTH != 0 && !is_length(value) {
                traits |= BAD_LENGTH;
            }
        }
        Self(traits)
    }

    /// Whether there is a content-length.
    #[inline]
    pub(super) const fn tell_length(self) -> bool {
        self.0 & LENGTH != 0
    }

    /// The traits of these fields and then those of `next`.
    #[inline]
    pub(super) const fn followed_by(self, next: Self) -> Self {
        let mut both = self.0 | next.0;
        if self.0 & next.0 & PSEUDO != 0 {
            both |= TWICE;
        }
        if self.0 & REGULAR != 0 && next.0 & PSEUDO != 0 {
            both |= LATE;
        }
        Self(both)
    }
}

/// The first broken rule, if any, of a block whose fields together have these traits. A
/// block that was `cut` short may lack any field.
pub(super) fn check(traits: Traits, cut: bool, block: BlockKind) -> Result<(), &'static str> {
    let Traits(seen) = traits;
    let (allowed, needed, lacks) = match block {
        BlockKind::Request => (
            METHOD | SCHEME | PATH | AUTHORITY,
            METHOD | SCHEME | PATH,
            "a request without :method, :scheme or :path",
        ),
        BlockKind::Response => (STATUS, STATUS, "a response without :status"),
        BlockKind::Trailers => (0, 0, ""),
    };
    let strange = seen & PSEUDO & !allowed != 0;
    let broken = ALWAYS_BROKEN
        .iter()
        .fold(0, |broken, (trait_, _)| broken | trait_);
    if seen & broken == 0 && !strange && (cut || seen & needed == needed) {
        return Ok(());
    }
    let always = ALWAYS_BROKEN
        .iter()
        .find_map(|(broken, reason)| (seen & broken != 0).then_some(*reason));
    Err(match always {
        Some(reason) => reason,
        None if strange => "a pseudo-header field that has no place here",
        None => lacks,
    })
}

/// Section 8.2.1, field names: a token (RFC 9110 section 5.6.2) with no
/// upper-case letter, and a colon in front of it for a pseudo-header.
const fn is_name(name: &[u8]) -> bool {
    let mut at = match name {
        [] | [b':'] => return false,
        [b':', ..] => 1,
        _ => 0,
    };
    while at < name.len() {
        if !TOKEN[name[at] as usize] {
            return false;
        }
        at += 1;
    }
    true
}

static TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut octet = 0;
    while octet < 128_u8 {
        table[octet as usize] = matches!(
            octet,
            b'a'..=b'z' | b'0'..=b'9' | b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+'
                | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        );
        octet += 1;
    }
    table
};

/// Section 8.2.1, field values: no NUL, LF or CR. Spaces around a value are accepted, since
/// some peers send them.
const fn is_value(value: &[u8]) -> bool {
    // Without an early exit the compiler vectorizes this loop.
    let mut bad = false;
    let mut at = 0;
    while at < value.len() {
        bad |= matches!(value[at], 0 | b'\n' | b'\r');
        at += 1;
    }
    !bad
}

/// RFC 9110 section 8.6: digits, at most as many as always fit into the integer.
const fn is_length(value: &[u8]) -> bool {
    let mut at = 0;
    while at < value.len() {
        if !value[at].is_ascii_digit() {
            return false;
        }
        at += 1;
    }
    matches!(value.len(), 1..=18)
}

#[cfg(test)]
mod tests;
