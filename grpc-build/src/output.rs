//! Writing what was generated. A file that would not change is not touched:
//! cargo takes its time for a reason to build again.

use std::fs;
use std::path::Path;

use protoc_gen_rust_grpc::GeneratedFile;

use crate::error::Error;

pub(crate) fn write(directory: &Path, files: &[GeneratedFile]) -> Result<(), Error> {
    fs::create_dir_all(directory)
        .map_err(|cause| Error::io("create the output directory", directory, cause))?;
    for file in files {
        let path = directory.join(&file.name);
        if fs::read(&path).is_ok_and(|old| old == file.text.as_bytes()) {
            continue;
        }
        fs::write(&path, &file.text).map_err(|cause| Error::io("write", &path, cause))?;
    }
    Ok(())
}
