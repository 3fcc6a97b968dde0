//! The encoding `zstd`. A frame's window is bounded by what RFC 8878 asks decoders to support.

use bytes::Buf;
use zstd_safe::zstd_sys::ZSTD_EndDirective;
use zstd_safe::{
    CCtx, CParameter, DCtx, DParameter, InBuffer, OutBuffer, ResetDirective, get_error_name,
};

use super::codec::Codec;
use super::fault::{Fault, FaultReason};
use super::idle::Idle;
use super::inflated::Inflated;
use crate::framing::payload::PayloadReader;

/// The library's own default.
const LEVEL: i32 = 3;

/// 8 MiB, RFC 8878 section 3.1.1.1.2's recommendation: a frame that claims a
/// larger window is refused before memory is taken for it.
const WINDOW_LOG_MAX: u32 = 23;

/// A state that grew above this size for a large message is not kept.
const KEPT_SIZE: usize = 2 << 20;

/// RFC 8878.
pub(super) const ZSTD: Codec = Codec {
    compress,
    decompress,
};

static IDLE_COMPRESS: Idle<CCtx<'static>> = Idle::new();
static IDLE_DECOMPRESS: Idle<DCtx<'static>> = Idle::new();

/// Appends `body` as one frame.
fn compress(body: &[u8], out: &mut Vec<u8>) -> Result<(), FaultReason> {
    let mut state = match IDLE_COMPRESS.take() {
        Some(state) => state,
        None => CCtx::try_create().ok_or("there is no memory")?,
    };
    state.reset(ResetDirective::SessionOnly).map_err(name)?;
    state
        .set_parameter(CParameter::CompressionLevel(LEVEL))
        .map_err(name)?;
    let mut input = InBuffer::around(body);
    loop {
        let end = out.len();
        let mut output = OutBuffer::around_pos(out, end);
        // With the end in the first call zstd knows how large the frame is.
        let left = state
            .compress_stream2(&mut output, &mut input, ZSTD_EndDirective::ZSTD_e_end)
            .map_err(name)?;
        if left == 0 {
            break;
        }
        // Twice as much, as a vector grows.
        out.reserve(out.capacity() - out.len() + 1);
    }
    if state.sizeof() <= KEPT_SIZE {
        IDLE_COMPRESS.put(state);
    }
    Ok(())
}

/// Decompresses one or more frames.
fn decompress(mut input: PayloadReader<'_>, out: &mut Inflated) -> Result<(), Fault> {
    let mut state = match IDLE_DECOMPRESS.take() {
        Some(state) => state,
        None => DCtx::try_create().ok_or(Fault::Corrupt("there is no memory".into()))?,
    };
    let corrupt = |code| Fault::Corrupt(name(code));
    state.reset(ResetDirective::SessionOnly).map_err(corrupt)?;
    state
        .set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX))
        .map_err(corrupt)?;
    loop {
        let room = out.room();
        let len = room.len();
        let mut output = OutBuffer::around_pos(room, len);
        let mut piece = InBuffer::around(input.chunk());
        let wanted = state
            .decompress_stream(&mut output, &mut piece)
            .map_err(corrupt)?;
        let made = output.pos() - len;
        let taken = piece.pos();
        input.advance(taken);
        out.check()?;
        if wanted == 0 && !input.has_remaining() {
            break;
        }
        // There was room for output, so input is missing.
        if taken == 0 && made == 0 {
            return Err(Fault::Truncated);
        }
    }
    if state.sizeof() <= KEPT_SIZE {
        IDLE_DECOMPRESS.put(state);
    }
    Ok(())
}

fn name(code: usize) -> FaultReason {
    get_error_name(code).into()
}
