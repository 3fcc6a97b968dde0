//! Flow control windows of RFC 9113 section 5.2, both directions. Arithmetic
//! only: it must never write a frame.

/// What every window starts with (section 6.9.2).
pub(crate) const DEFAULT_WINDOW: u32 = 65_535;

/// What we may still send. It goes below zero when the peer shrinks its initial
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

/// What the peer may still send on one stream.
///
/// Invariant: `window + held + released ≤ initial`, where `held` is what the
/// application has not consumed and `released` what it has, not yet announced.
#[derive(Debug)]
pub(crate) struct ReceiveWindow {
    window: u32,
    initial: u32,
    held: u32,
    released: u32,
}

/// The peer sent more than its window allowed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Exceeded;

impl ReceiveWindow {
    pub(crate) fn new(initial: u32) -> Self {
        Self {
            window: initial,
            initial,
            held: 0,
            released: 0,
        }
    }

    pub(crate) fn receive(&mut self, bytes: u32) -> Result<(), Exceeded> {
        self.window = self.window.checked_sub(bytes).ok_or(Exceeded)?;
        self.held += bytes;
        Ok(())
    }

    /// The application consumed `bytes`. Returns how many it really held, so
    /// that a caller's mistake cannot inflate a window.
    pub(crate) fn release(&mut self, bytes: u32) -> u32 {
        let bytes = bytes.min(self.held);
        self.held -= bytes;
        self.released += bytes;
        bytes
    }

    pub(crate) fn held(&self) -> u32 {
        self.held
    }

    /// The increment to announce, once it is worth a frame: at half the window.
    pub(crate) fn update(&mut self) -> Option<u32> {
        if self.released < self.initial.div_ceil(2) {
            return None;
        }
        let increment = std::mem::take(&mut self.released);
        self.window += increment;
        Some(increment)
    }
}

/// What the peer may still send on the connection as a whole.
///
/// Credit is renewed as bytes arrive, not as they are consumed, so that a
/// stream that nobody reads does not stop the others; only when `buffered` nears
/// `capacity` does consumption pace the peer. Invariant: `window + buffered ≤
/// max(capacity, credit)`.
#[derive(Debug)]
pub(crate) struct ConnectionReceiveWindow {
    window: i64,
    credit: i64,
    capacity: i64,
    buffered: i64,
}

impl ConnectionReceiveWindow {
    pub(crate) fn new(credit: u32, capacity: u32) -> Self {
        Self {
            window: i64::from(DEFAULT_WINDOW),
            credit: i64::from(credit),
            capacity: i64::from(capacity),
            buffered: 0,
        }
    }

    pub(crate) fn receive(&mut self, bytes: u32) -> Result<(), Exceeded> {
        if i64::from(bytes) > self.window {
            return Err(Exceeded);
        }
        self.window -= i64::from(bytes);
        self.buffered += i64::from(bytes);
        Ok(())
    }

    pub(crate) fn release(&mut self, bytes: u32) {
        self.buffered = (self.buffered - i64::from(bytes)).max(0);
    }

    /// The increment to announce, if any is due. `at_once` skips the wait until
    /// half of the credit is spent: the first announcement of a connection.
    pub(crate) fn update(&mut self, at_once: bool) -> Option<u32> {
        let target = self.credit.min(self.capacity - self.buffered);
        let increment = target - self.window;
        let due = if at_once { 1 } else { self.credit / 2 };
        if increment < due {
            return None;
        }
        self.window = target;
        u32::try_from(increment).ok()
    }
}

#[cfg(test)]
mod tests;
