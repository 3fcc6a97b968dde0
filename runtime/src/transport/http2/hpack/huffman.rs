//! The Huffman code of RFC 7541 appendix B.
//!
//! The code is canonical: it follows from the order of the symbols by code length, so only
//! that order is written here, and the compiler makes the tables from it. Decoding refuses
//! EOS, padding of a whole octet, and padding that is not all ones (section 5.2).

#[cfg(test)]
mod tests;

/// Each code length with its symbols, in the order of their codes. EOS, the
/// last code of all, is left out.
const LENGTHS: [(u32, &[u8]); 21] = [
    (5, b"012aceiost"),
    (6, b" %-./3456789=A_bdfghlmnpru"),
    (7, b":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz"),
    (8, b"&*,;XZ"),
    (10, b"!\"()?"),
    (11, b"'+|"),
    (12, b"#>"),
    (13, b"\0$@[]~"),
    (14, b"^}"),
    (15, b"<`{"),
    (19, &[92, 195, 208]),
    (20, &[128, 130, 131, 162, 184, 194, 224, 226]),
    (
        21,
        &[
            153, 161, 167, 172, 176, 177, 179, 209, 216, 217, 227, 229, 230,
        ],
    ),
    (
        22,
        &[
            129, 132, 133, 134, 136, 146, 154, 156, 160, 163, 164, 169, 170, 173, 178, 181, 185,
            186, 187, 189, 190, 196, 198, 228, 232, 233,
        ],
    ),
    (
        23,
        &[
            1, 135, 137, 138, 139, 140, 141, 143, 147, 149, 150, 151, 152, 155, 157, 158, 165, 166,
            168, 174, 175, 180, 182, 183, 188, 191, 197, 231, 239,
        ],
    ),
    (
        24,
        &[9, 142, 144, 145, 148, 159, 171, 206, 215, 225, 236, 237],
    ),
    (25, &[199, 207, 234, 235]),
    (
        26,
        &[
            192, 193, 200, 201, 202, 205, 210, 213, 218, 219, 238, 240, 242, 243, 255,
        ],
    ),
    (
        27,
        &[
            203, 204, 211, 212, 214, 221, 222, 223, 241, 244, 245, 246, 247, 248, 250, 251, 252,
            253, 254,
        ],
    ),
    (
        28,
        &[
            2, 3, 4, 5, 6, 7, 8, 11, 12, 14, 15, 16, 17, 18, 19, 20, 21, 23, 24, 25, 26, 27, 28,
            29, 30, 31, 127, 220, 249,
        ],
    ),
    (30, &[10, 13, 22]),
];

/// The first codes longer than [`PEEK_BITS`] in [`LENGTHS`].
const FIRST_LONG: usize = 7;

const MAX_BITS: u32 = 30;
const MIN_BITS: usize = 5;

/// How many bits the decoder looks up at once: two codes of most letters and digits. All but
/// a few printable characters have a code of at most this length.
const PEEK_BITS: u32 = 12;

#[derive(Clone, Copy)]
struct HuffmanCode {
    bits: u32,
    len: u32,
}

static CODES: [HuffmanCode; 256] = codes();

/// The length of each octet's code in a separate table, so that measuring a string touches
/// four cache lines instead of 32.
static CODE_LENGTHS: [u8; 256] = code_lengths();

/// What each string of [`PEEK_BITS`] bits begins with.
static STEPS: [HuffmanStep; 1 << PEEK_BITS] = steps();

/// One symbol or two, whose codes are no longer than [`PEEK_BITS`] together.
#[derive(Clone, Copy)]
struct HuffmanStep {
    symbols: [u8; 2],
    /// Zero where the first code is longer.
    count: u8,
    /// Of all their codes, in bits.
    len: u8,
}

/// The lengths above [`PEEK_BITS`], shortest first.
static LONG_CODES: [LongCodes; LENGTHS.len() - FIRST_LONG] = long_codes();

/// The codes of one length.
#[derive(Clone, Copy)]
struct LongCodes {
    /// The first string of 32 bits above all of them.
    end: u64,
    /// The first of them; each next one is greater by one.
    first: u32,
    len: u32,
    symbols: &'static [u8],
}

const fn codes() -> [HuffmanCode; 256] {
    let mut codes = [HuffmanCode { bits: 0, len: 0 }; 256];
    let mut next = 0;
    let mut previous = 0;
    let mut at = 0;
    while at < LENGTHS.len() {
        let (len, symbols) = LENGTHS[at];
        next <<= len - previous;
        previous = len;
        let mut place = 0;
        while place < symbols.len() {
            codes[symbols[place] as usize] = HuffmanCode { bits: next, len };
            next += 1;
            place += 1;
        }
        at += 1;
    }
    // The code is complete: with EOS, the last one, no string of bits is left.
    assert!(next + 1 == 1 << MAX_BITS);
    codes
}

const fn code_lengths() -> [u8; 256] {
    let codes = codes();
    let mut lengths = [0; 256];
    let mut at = 0;
    while at < 256 {
        lengths[at] = codes[at].len as u8;
        at += 1;
    }
    lengths
}

const fn steps() -> [HuffmanStep; 1 << PEEK_BITS] {
    let codes = codes();
    let mut steps = [HuffmanStep {
        symbols: [0; 2],
        count: 0,
        len: 0,
    }; 1 << PEEK_BITS];
    let mut first = 0;
    while first < 256 {
        let one = codes[first];
        if one.len <= PEEK_BITS {
            let step = HuffmanStep {
                symbols: [first as u8, 0],
                count: 1,
                len: one.len as u8,
            };
            fill(&mut steps, one, step);
            let mut second = 0;
            while second < 256 {
                let other = codes[second];
                let both = HuffmanCode {
                    bits: one.bits << other.len | other.bits,
                    len: one.len + other.len,
                };
                if both.len <= PEEK_BITS {
                    let step = HuffmanStep {
                        symbols: [first as u8, second as u8],
                        count: 2,
                        len: both.len as u8,
                    };
                    fill(&mut steps, both, step);
                }
                second += 1;
            }
        }
        first += 1;
    }
    steps
}

/// Puts `step` wherever a string of bits begins with `code`.
const fn fill(steps: &mut [HuffmanStep; 1 << PEEK_BITS], code: HuffmanCode, step: HuffmanStep) {
    let spare = PEEK_BITS - code.len;
    let mut rest = 0;
    while rest < 1 << spare {
        steps[(code.bits << spare | rest) as usize] = step;
        rest += 1;
    }
}

const fn long_codes() -> [LongCodes; LENGTHS.len() - FIRST_LONG] {
    let codes = codes();
    let mut table = [LongCodes {
        end: 0,
        first: 0,
        len: 0,
        symbols: &[],
    }; LENGTHS.len() - FIRST_LONG];
    let mut at = 0;
    while at < table.len() {
        let (len, symbols) = LENGTHS[FIRST_LONG + at];
        let first = codes[symbols[0] as usize].bits;
        table[at] = LongCodes {
            end: (first as u64 + symbols.len() as u64) << (32 - len),
            first,
            len,
            symbols,
        };
        at += 1;
    }
    table
}

/// A string that is no Huffman code.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Invalid;

/// The most octets that `len` octets of Huffman code can stand for.
const fn max_decoded_len(len: usize) -> usize {
    len * 8 / MIN_BITS
}

/// Appends the decoded `input` to `out`. After an error the content after the old end of
/// `out` is undefined.
pub(super) fn decode(input: &[u8], out: &mut Vec<u8>) -> Result<(), Invalid> {
    let start = out.len();
    // One more, since the decoder writes two at a time.
    out.resize(start + max_decoded_len(input.len()) + 1, 0);
    let written = decode_into(input, &mut out[start..])?;
    out.truncate(start + written);
    Ok(())
}

/// The undecoded bits of the input, first bit highest. Below the `count` bits
/// are zeroes, or bits of the octets that come next.
struct Window<'a> {
    bits: u64,
    count: u32,
    input: &'a [u8],
}

impl Window<'_> {
    /// Brings in as many whole octets as there is room for. `count` is below
    /// [`MAX_BITS`].
    #[inline]
    fn refill(&mut self) {
        if let Some(octets) = self.input.first_chunk::<8>() {
            self.bits |= u64::from_be_bytes(*octets) >> self.count;
            let taken = (63 - self.count) / 8;
            self.count += taken * 8;
            self.input = &self.input[taken as usize..];
        } else {
            while self.count <= 56
                && let Some((&octet, rest)) = self.input.split_first()
            {
                self.bits |= u64::from(octet) << (56 - self.count);
                self.count += 8;
                self.input = rest;
            }
        }
    }

    /// The symbols at the front: one or two, or none of so short a code.
    #[inline]
    fn step(&self) -> HuffmanStep {
        STEPS[(self.bits >> (64 - PEEK_BITS)) as usize]
    }

    /// The symbol at the front and its code's length, or `None` for EOS.
    #[inline]
    fn front(&self) -> Option<(u8, u32)> {
        let HuffmanStep { symbols, count, .. } = self.step();
        if count != 0 {
            let symbol = symbols[0];
            return Some((symbol, u32::from(CODE_LENGTHS[usize::from(symbol)])));
        }
        self.long_front()
    }

    #[cold]
    fn long_front(&self) -> Option<(u8, u32)> {
        let bits = self.bits >> 32;
        let codes = LONG_CODES.iter().find(|codes| bits < codes.end)?;
        let place = (bits >> (32 - codes.len)) as usize - codes.first as usize;
        Some((*codes.symbols.get(place)?, codes.len))
    }

    #[inline]
    fn advance(&mut self, len: u32) {
        self.bits <<= len;
        self.count -= len;
    }
}

fn decode_into(input: &[u8], out: &mut [u8]) -> Result<usize, Invalid> {
    let mut window = Window {
        bits: 0,
        count: 0,
        input,
    };
    let mut written = 0;
    loop {
        window.refill();
        if window.count < MAX_BITS {
            break;
        }
        while window.count >= MAX_BITS {
            let step = window.step();
            if step.count == 0 {
                let (symbol, len) = window.long_front().ok_or(Invalid)?;
                out[written] = symbol;
                written += 1;
                window.advance(len);
            } else {
                // If it is one symbol, the next write overwrites the second octet.
                out[written..written + 2].copy_from_slice(&step.symbols);
                written += usize::from(step.count);
                window.advance(u32::from(step.len));
            }
        }
    }
    // The input is used up. Ones behind it make padding the start of EOS,
    // which is no symbol's code.
    window.bits |= u64::MAX >> window.count;
    // No symbol's code is all ones either, so ones to the end are padding.
    while window.bits != u64::MAX {
        match window.front() {
            Some((symbol, len)) if len <= window.count => {
                out[written] = symbol;
                written += 1;
                window.bits = !(!window.bits << len);
                window.count -= len;
            }
            _ => return Err(Invalid),
        }
    }
    if window.count >= 8 {
        return Err(Invalid);
    }
    Ok(written)
}

/// How many octets `text` takes as Huffman code.
#[inline]
pub(super) fn encoded_len(text: &[u8]) -> usize {
    let bits: usize = text
        .iter()
        .map(|&octet| usize::from(CODE_LENGTHS[usize::from(octet)]))
        .sum();
    bits.div_ceil(8)
}

/// Encodes `text` into `out`, which has [`encoded_len`] octets.
pub(super) fn encode(text: &[u8], out: &mut [u8]) {
    let mut bits = 0_u64;
    let mut count = 0;
    let mut at = 0;
    for &octet in text {
        let code = CODES[usize::from(octet)];
        bits = (bits << code.len) | u64::from(code.bits);
        count += code.len;
        if count >= 32 {
            count -= 32;
            let ready = (bits >> count) as u32;
            out[at..at + 4].copy_from_slice(&ready.to_be_bytes());
            at += 4;
        }
    }
    let rest = &mut out[at..];
    // Padding is the start of EOS: ones.
    let padded = (bits << (32 - count)) as u32 | (u32::MAX >> count);
    rest.copy_from_slice(&padded.to_be_bytes()[..rest.len()]);
}
