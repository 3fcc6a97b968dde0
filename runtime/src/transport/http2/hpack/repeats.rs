//! Remembers runs of fields, and the octets that encode them.
//!
//! A field in a table is encoded as one index. As long as the dynamic table does not change,
//! the same indices mean the same fields and vice versa, and the calls of a connection begin
//! and end with similar fields. So a whole run is remembered and found again with one
//! comparison. A change of the table discards all runs.

#[cfg(test)]
mod tests;

use super::super::fields::Fields;

/// How many runs a direction remembers: the heads of a few methods.
const KEPT: usize = 4;

/// The longest run, in octets of its fields' text.
const LONGEST: usize = 1024;

/// The runs of one direction. It owns no memory before the first run, since many connections
/// are idle.
#[derive(Default)]
pub(super) struct Repeats {
    runs: Vec<Run>,
    /// The run that is replaced next.
    next: usize,
}

/// Fields, each of which the tables hold.
#[derive(Default)]
struct Run {
    /// The table's number of changes at that time.
    changes: u64,
    indices: Vec<u8>,
    fields: Fields,
}

impl Repeats {
    /// The fields that `indices` stand for.
    #[inline]
    pub(super) fn fields(&self, indices: &[u8], changes: u64) -> Option<&Fields> {
        let run = self
            .runs
            .iter()
            .find(|run| run.changes == changes && run.indices == indices)?;
        Some(&run.fields)
    }

    /// The indices that encode the first fields of `list`, given by their number and octets.
    #[inline]
    pub(super) fn indices(
        &self,
        list: &Fields,
        extent: (usize, usize),
        changes: u64,
    ) -> Option<&[u8]> {
        let run = self
            .runs
            .iter()
            .find(|run| run.changes == changes && list.begins_with(&run.fields, extent))?;
        Some(&run.indices)
    }

    /// Remembers that `indices` stand for the fields of `list` between two
    /// extents; returns them, for their traits to be noted.
    pub(super) fn remember(
        &mut self,
        indices: &[u8],
        list: &Fields,
        (from, to): ((usize, usize), (usize, usize)),
        changes: u64,
    ) -> Option<&mut Fields> {
        if to.1 - from.1 > LONGEST {
            return None;
        }
        if self.runs.len() < KEPT {
            self.next = self.runs.len();
            self.runs.push(Run::default());
        }
        let run = self.runs.get_mut(self.next)?;
        self.next = (self.next + 1) % KEPT;
        run.changes = changes;
        run.indices.clear();
        run.indices.extend_from_slice(indices);
        run.fields.copy_part(list, from, to);
        Some(&mut run.fields)
    }
}
