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
mod tests {
    use super::*;

    fn page(start: i64, most: i64, ids: std::ops::Range<u64>) -> (Vec<u64>, bool) {
        Page::new(start, most).of(ids.rev(), |id| *id)
    }

    #[test]
    fn pages_follow_on_each_other_and_the_last_one_says_so() {
        assert_eq!(page(0, 3, 1..8), (vec![1, 2, 3], false));
        assert_eq!(page(4, 3, 1..8), (vec![4, 5, 6], false));
        assert_eq!(page(7, 3, 1..8), (vec![7], true));
        assert_eq!(page(8, 3, 1..8), (vec![], true));
        assert_eq!(page(5, 3, 1..8), (vec![5, 6, 7], true));
    }

    #[test]
    fn no_page_is_larger_than_a_hundred_and_nonsense_is_no_limit() {
        for most in [0, -1, i64::MIN, 100, 101, i64::MAX] {
            let (ids, is_last) = page(0, most, 1..151);
            assert_eq!((ids.len(), is_last), (100, false), "{most}");
        }
        for start in [0, -1, i64::MIN] {
            assert_eq!(page(start, 1, 1..3), (vec![1], false));
        }
        assert_eq!(page(i64::MAX, 1, 1..3), (vec![], true));
    }
}
