//! Flow control windows of one stream, and of the connection on the way out (RFC 9113 section
//! 5.2). Arithmetic only. What the peer may send on the connection as a whole is in `credit`.

/// The initial size of every window (section 6.9.2).
pub(crate) const DEFAULT_WINDOW: u32 = 65_535;

/// The largest size of a window (section 6.9.1).
const MAX_WINDOW: i64 = (1 << 31) - 1;

/// The bytes that this side may still send. Negative after the peer shrank its initial
/// window (section 6.9.2).
#[derive(Debug)]
pub(crate) struct SendWindow(i32);

/// A window was raised above 2³¹−1.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Overflow;

impl SendWindow {
    pub(crate) fn new(initial: u32) -> Self {
        Self(i32::try_from(initial).unwrap_or(i32::MAX))
    }

    pub(crate) fn available(&self) -> usize {
        usize::try_from(self.0).unwrap_or(0)
    }

    pub(crate) fn take(&mut self, bytes: usize) {
        debug_assert!(bytes <= self.available());
        self.0 = self.0.saturating_sub_unsigned(bytes as u32);
    }

    pub(crate) fn add(&mut self, delta: i64) -> Result<(), Overflow> {
        // The peer's initial windows are all within 2³¹−1, so no sum of their
        // differences is below −2³¹.
        self.0 = i32::try_from(i64::from(self.0) + delta).map_err(|_| Overflow)?;
        Ok(())
    }
}

/// The bytes the peer may still send on one stream, and the unread ones it has sent.
///
/// ```text
/// ──read──┤◀────── held ──────▶┤◀───── window ─────▶┤      bytes of the stream
///         ├◀───────────── announced ───────────────▶┤
///         ├◀──────── granted ────────▶┤◀── share ──▶┤
/// ```
///
/// Invariant: the announced part ends at most `share` after the granted part, or where it
/// ended before the share shrank.
#[derive(Debug)]
pub(crate) struct ReceiveWindow {
    /// The bytes the peer may have sent after those that were read. Below `held`, or even
    /// negative, if SETTINGS reduced it by more than was left (section 6.9.2).
    announced: i32,
    /// Received, and not yet consumed by the application.
    held: u32,
    /// The size of the current message, from its first held byte, if memory was reserved for
    /// it.
    granted: u32,
    /// The size of the current message if it waits for such memory.
    wanted: u32,
}

/// The peer sent this many bytes more than its window allowed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Exceeded(pub(crate) u32);

impl ReceiveWindow {
    pub(crate) fn new(initial: u32) -> Self {
        Self {
            announced: i32::try_from(initial).unwrap_or(i32::MAX),
            held: 0,
            granted: 0,
            wanted: 0,
        }
    }

    /// Counts received bytes; returns how many of them are not in reserved memory.
    #[inline]
    pub(crate) fn receive(&mut self, bytes: u32) -> Result<u32, Exceeded> {
        if i64::from(bytes) > self.left() {
            return Err(Exceeded(bytes - self.window()));
        }
        Ok(self.take(bytes))
    }

    /// Counts received bytes without checking the window; returns how many of them are not
    /// in reserved memory.
    #[inline]
    pub(crate) fn take(&mut self, bytes: u32) -> u32 {
        let granted = self.granted.saturating_sub(self.held);
        self.held += bytes;
        bytes.saturating_sub(granted)
    }

    /// The application consumed `bytes`. Larger values count as all bytes held, so that a
    /// caller's mistake does not enlarge a window. Returns how many of them were in reserved
    /// memory, and how many were not.
    #[inline]
    pub(crate) fn release(&mut self, bytes: u32) -> (u32, u32) {
        let bytes = bytes.min(self.held);
        self.held -= bytes;
        self.announced = self.announced.wrapping_sub_unsigned(bytes);
        if self.granted | self.wanted == 0 {
            return (0, bytes);
        }
        let granted = bytes.min(self.granted);
        self.granted -= granted;
        self.wanted = self.wanted.saturating_sub(bytes);
        (granted, bytes - granted)
    }

    #[inline]
    fn left(&self) -> i64 {
        i64::from(self.announced) - i64::from(self.held)
    }

    /// Whether nothing is held, reserved or waited for.
    #[inline]
    pub(crate) fn is_clear(&self) -> bool {
        self.held | self.granted | self.wanted == 0
    }

    /// The bytes the peer may still send.
    pub(crate) fn window(&self) -> u32 {
        u32::try_from(self.left()).unwrap_or(0)
    }

    pub(crate) fn held(&self) -> u32 {
        self.held
    }

    /// The held bytes that are not in reserved memory.
    #[inline]
    pub(crate) fn unread(&self) -> u32 {
        self.held.saturating_sub(self.granted)
    }

    pub(crate) fn granted(&self) -> u32 {
        self.granted
    }

    /// The memory that the current message waits for, if any.
    pub(crate) fn wanted(&self) -> Option<u32> {
        (self.wanted > 0).then_some(self.wanted)
    }

    /// The current message has `size` bytes and waits for memory. `false` if that was known
    /// already.
    pub(crate) fn want(&mut self, size: u32) -> bool {
        let new = self.granted < size && self.wanted == 0;
        if self.granted < size {
            self.wanted = size;
        }
        new
    }

    /// The memory that the message waits for has been reserved.
    pub(crate) fn grant(&mut self) {
        self.granted = std::mem::take(&mut self.wanted);
    }

    /// Whether memory is reserved for a message that is incomplete; with `to_end`, that is
    /// held until the stream ends.
    pub(crate) fn is_filling(&self, to_end: bool) -> bool {
        self.granted > 0 && (to_end || self.held < self.granted)
    }

    /// SETTINGS changed the initial window by `delta`.
    pub(crate) fn shift(&mut self, delta: i64) {
        // A sum of windows and a deficit are both within 31 bits.
        let announced = i64::from(self.announced) + delta;
        self.announced = announced.clamp(i64::from(i32::MIN), MAX_WINDOW) as i32;
    }

    /// The increment to announce, once it is at least half the share. `wide` is the share
    /// that SETTINGS may raise this to, for which there must be room below 2³¹.
    #[inline]
    pub(crate) fn update(&mut self, share: u32, wide: u32) -> Option<u32> {
        let announced = i64::from(self.announced);
        if announced > i64::from(share / 2) + i64::from(self.granted) {
            return None;
        }
        let end = i64::from(share) + i64::from(self.granted);
        let end = end.min(MAX_WINDOW - i64::from(wide - share));
        let increment = u32::try_from(end - announced).ok().filter(|more| *more > 0);
        self.shift(increment.map_or(0, i64::from));
        increment
    }
}

#[cfg(test)]
mod tests;
