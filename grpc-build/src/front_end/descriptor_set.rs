//! Descriptors someone else has made.

use std::fs;
use std::path::Path;

use super::Read;
use crate::error::Error;

pub(super) fn read(path: &Path) -> Result<Read, Error> {
    let descriptors =
        fs::read(path).map_err(|cause| Error::io("read the descriptor set", path, cause))?;
    Ok(Read {
        descriptors,
        files: vec![path.to_owned()],
        variables: Vec::new(),
    })
}
