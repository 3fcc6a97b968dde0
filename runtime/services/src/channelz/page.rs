//! A part of a list, by ids that ascend.

/// The most entries of a page (gRFC A14 leaves it to the server).
const MOST: usize = 100;

/// Which part is wanted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page {
    start: u64,
    most: usize,
}

impl Page {
    /// From the id `start` on; as many as the server likes where `most` is 0, or nonsense.
    pub(super) fn new(start: i64, most: i64) -> Self {
        let most = usize::try_from(most).unwrap_or(0);
        Self {
            start: u64::try_from(start).unwrap_or(0),
            most: if most == 0 { MOST } else { most.min(MOST) },
        }
    }

    /// Its entries, and whether nothing follows on them.
    pub(super) fn of<T>(
        self,
        all: impl IntoIterator<Item = T>,
        id: impl Fn(&T) -> u64,
    ) -> (Vec<T>, bool) {
        let mut rest: Vec<T> = (all.into_iter())
            .filter(|it| id(it) >= self.start)
            .collect();
        rest.sort_by_key(|it| id(it));
        let is_last = rest.len() <= self.most;
        rest.truncate(self.most);
        (rest, is_last)
    }
}

#[cfg(test)]
mod tests;
