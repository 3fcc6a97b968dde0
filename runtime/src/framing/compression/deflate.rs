//! The encodings `gzip` and `deflate`, which differ only in header and trailer. Idle codec
//! states are reused.

use bytes::Buf;
use flate2::{Compress, Crc, Decompress, FlushCompress, FlushDecompress, Status};

use super::codec::Codec;
use super::fault::{Fault, FaultReason};
use super::gzip;
use super::idle::Idle;
use super::inflated::Inflated;
use crate::framing::payload::PayloadReader;

/// The largest window there is: 32 KiB.
const WINDOW_BITS: u8 = 15;

/// RFC 1952.
pub(super) const GZIP: Codec = Codec {
    compress: gzip,
    decompress: gunzip,
};

/// RFC 1950.
pub(super) const ZLIB: Codec = Codec {
    compress: zlib,
    decompress: unzlib,
};

static IDLE_GZIP: Idle<Compress> = Idle::new();
static IDLE_ZLIB: Idle<Compress> = Idle::new();
static IDLE_INFLATE: Idle<Decompress> = Idle::new();

/// Appends `body` as one gzip member.
fn gzip(body: &[u8], out: &mut Vec<u8>) -> Result<(), FaultReason> {
    let make = || Compress::new_gzip(flate2::Compression::default(), WINDOW_BITS);
    deflate(&IDLE_GZIP, make, body, out)
}

/// Appends `body` in zlib's format.
fn zlib(body: &[u8], out: &mut Vec<u8>) -> Result<(), FaultReason> {
    let make = || Compress::new(flate2::Compression::default(), true);
    deflate(&IDLE_ZLIB, make, body, out)
}

fn deflate(
    idle: &Idle<Compress>,
    make: impl FnOnce() -> Compress,
    mut body: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), FaultReason> {
    let mut state = idle.take().unwrap_or_else(make);
    state.reset();
    loop {
        if out.len() == out.capacity() {
            // Twice as much, as a vector grows.
            out.reserve(1);
        }
        let taken = state.total_in();
        let status = state
            .compress_vec(body, out, FlushCompress::Finish)
            .map_err(|error| error.to_string())?;
        body = &body[(state.total_in() - taken) as usize..];
        if status == Status::StreamEnd {
            idle.put(state);
            return Ok(());
        }
    }
}

/// Decompresses gzip: one or more members.
fn gunzip(mut input: PayloadReader<'_>, out: &mut Inflated) -> Result<(), Fault> {
    with_inflate(|state| {
        gzip::read_header(&mut input)?;
        loop {
            let mut checksum = Crc::new();
            state.reset(false);
            inflate(state, &mut input, out, |bytes| checksum.update(bytes))?;
            gzip::read_trailer(&mut input, checksum.sum(), checksum.amount())?;
            if !input.has_remaining() {
                return Ok(());
            }
            if !gzip::begins(&input) {
                return Err(Fault::Trailing(input.remaining()));
            }
            gzip::read_header(&mut input)?;
        }
    })
}

/// Decompresses zlib's format.
fn unzlib(mut input: PayloadReader<'_>, out: &mut Inflated) -> Result<(), Fault> {
    with_inflate(|state| {
        state.reset(true);
        inflate(state, &mut input, out, |_| {})?;
        match input.remaining() {
            0 => Ok(()),
            count => Err(Fault::Trailing(count)),
        }
    })
}

fn with_inflate<T>(work: impl FnOnce(&mut Decompress) -> T) -> T {
    let mut state = IDLE_INFLATE
        .take()
        .unwrap_or_else(|| Decompress::new(false));
    let done = work(&mut state);
    IDLE_INFLATE.put(state);
    done
}

/// Inflates one stream to its end; `seen` gets all decompressed bytes.
fn inflate(
    state: &mut Decompress,
    input: &mut PayloadReader<'_>,
    out: &mut Inflated,
    mut seen: impl FnMut(&[u8]),
) -> Result<(), Fault> {
    loop {
        let room = out.room();
        let (taken, len) = (state.total_in(), room.len());
        let status = state
            .decompress_vec(input.chunk(), room, FlushDecompress::None)
            .map_err(|error| {
                Fault::Corrupt(match error.message() {
                    Some(text) => text.to_owned().into(),
                    None => "it needs a preset dictionary".into(),
                })
            })?;
        let taken = (state.total_in() - taken) as usize;
        let made = room.len() - len;
        seen(&room[len..]);
        input.advance(taken);
        out.check()?;
        if status == Status::StreamEnd {
            return Ok(());
        }
        // There was room for output, so input is missing.
        if taken == 0 && made == 0 {
            return Err(Fault::Truncated);
        }
    }
}
