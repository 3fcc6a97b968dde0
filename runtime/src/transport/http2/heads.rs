//! The heads of a connection's requests while their calls are there. Arithmetic only: it
//! is added up here for each call, and told to the server's memory in steps.

/// A connection tells of its heads in steps of this size.
const STEP: usize = 16 << 10;

/// What is told and not held any more is given back from here on.
const EXCESS: usize = 4 * STEP;

/// What they hold, and what of it has been told.
#[derive(Debug, Default)]
pub(super) struct Heads {
    held: usize,
    told: usize,
}

impl Heads {
    #[inline]
    pub(super) fn add(&mut self, bytes: usize) {
        self.held += bytes;
    }

    #[inline]
    pub(super) fn remove(&mut self, bytes: usize) {
        self.held -= bytes;
    }

    /// How much more has to be told, if anything.
    #[inline]
    pub(super) fn untold(&self) -> Option<usize> {
        (self.held > self.told).then(|| (self.held - self.told).next_multiple_of(STEP))
    }

    /// So much more was told.
    pub(super) fn tell(&mut self, bytes: usize) {
        self.told += bytes;
    }

    /// Whether much is told that is not held.
    #[inline]
    pub(super) fn has_excess(&self) -> bool {
        self.told >= self.held + EXCESS
    }

    /// Takes back what is told and not held.
    pub(super) fn take_back(&mut self) -> usize {
        let held = self.held.next_multiple_of(STEP);
        let excess = self.told.saturating_sub(held);
        self.told -= excess;
        excess
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_told_in_steps_and_taken_back_once_they_are_many() {
        let mut heads = Heads::default();
        assert_eq!(heads.untold(), None);
        heads.add(1);
        assert_eq!(heads.untold(), Some(STEP));
        heads.tell(STEP);
        heads.add(STEP - 1);
        assert_eq!(heads.untold(), None);
        heads.add(4 * STEP);
        assert_eq!(heads.untold(), Some(4 * STEP));
        heads.tell(4 * STEP);
        heads.remove(3 * STEP);
        assert!(!heads.has_excess());
        heads.remove(STEP);
        assert!(heads.has_excess());
        assert_eq!(heads.take_back(), 4 * STEP);
        assert!(!heads.has_excess());
    }
}
