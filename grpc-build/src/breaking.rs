//! Compares recorded `.proto` files with the current ones. A change that breaks old clients,
//! old servers, or code written against the old files is an error; additions are not.

mod compare;
mod index;

use std::fs;
use std::path::Path;

use protoc_gen_rust_grpc::ResolvedSet;

use crate::error::Error;
use crate::report::{in_source, located};
use crate::sources::Sources;
use compare::Change;
use index::Index;

/// Fails, with every place, if `descriptors` break what the file `recorded`
/// holds.
pub(crate) fn check(recorded: &Path, descriptors: &[u8], sources: &Sources) -> Result<(), Error> {
    let old =
        fs::read(recorded).map_err(|cause| Error::io("read the recorded set", recorded, cause))?;
    let old = ResolvedSet::decode(&old).map_err(|error| {
        Error::new(format!(
            "{} is not a recorded set: {error}",
            recorded.display()
        ))
    })?;
    let new = ResolvedSet::decode(descriptors)
        .map_err(|error| Error::new(format!("the descriptor set is broken: {error}")))?;
    let changes = compare::changes(&Index::of(&old), &Index::of(&new));
    if changes.is_empty() {
        return Ok(());
    }
    let texts: Vec<String> = changes
        .iter()
        .map(|change| show(change, recorded, sources))
        .collect();
    Err(Error::of_all(&texts))
}

fn show(change: &Change, recorded: &Path, sources: &Sources) -> String {
    let message = format!("breaking change: {}", change.message);
    let old = format!("note: it was at {} in {}", change.old, recorded.display());
    let mut notes = vec![old];
    notes.extend(change.help.as_ref().map(|help| format!("help: {help}")));
    match &change.new {
        Some(new) => {
            let place = new
                .position
                .map(|(line, column)| in_source(sources, &new.file, line, column));
            located(sources, &new.file, place, &message, &notes)
        }
        None => located(sources, &change.old.file, None, &message, &notes),
    }
}

#[cfg(test)]
mod editions_tests;
#[cfg(test)]
mod tests;
